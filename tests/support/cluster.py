# SPDX-License-Identifier: Apache-2.0
"""A genuine Kafka of three nodes, each of which a test may kill and bring back with its data."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from tests.support.services import SERVICES, address, free_port

NODES = 3
_STEP = 10  # between the ports of two nodes; the port behind each is the controller's


class Cluster:
    """Three nodes that are brokers and controllers; numbers begin with 1."""

    def __init__(self, script: Path, folder: Path) -> None:
        self.port = _free_ports()
        self._script = script
        self._folder = folder
        self._environment = {
            **os.environ,
            "SERVICES_DATA": str(folder),
            "SERVICES_WAIT": "180",
            "KAFKA_PORT": str(self.port),
            "KAFKA_HEAP": "256m",
            "KAFKA_NODES": str(NODES),
            "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -Xshare:auto",
        }

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{self._port(node)}" for node in range(1, NODES + 1))

    def start(self) -> None:
        """Start the nodes that do not run, and wait for all."""
        self._run("start")

    def stop(self) -> None:
        for node in range(1, NODES + 1):
            with contextlib.suppress(FileNotFoundError, AssertionError):
                self.kill(node)

    def kill(self, node: int) -> None:
        """End a node without a chance to write anything."""
        name = self._folder / "kafka" / f"node{node}" / "pid"
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(name.read_text().split()[0]), signal.SIGKILL)
        name.unlink()
        deadline = time.monotonic() + 10
        while _open(self._port(node)):
            assert time.monotonic() < deadline, "the node outlived a kill -9"
            time.sleep(0.05)

    def refusals(self, topic: str, partitions: int) -> set[str]:
        """What the brokers answer to a message in each partition that all replicas are to have, by names of codes."""
        told: list[KafkaError | None] = []
        asking = {
            "bootstrap.servers": self.bootstrap,
            "acks": "all",
            "retries": 0,
            "request.timeout.ms": 5000,
            "message.timeout.ms": 20_000,
        }
        producer = Producer(asking)
        for number in range(partitions):
            producer.produce(topic, b"{}", b"asked", number, on_delivery=lambda error, _: told.append(error))
        producer.flush(30)
        return {"none" if each is None else each.name() for each in told}

    def _port(self, node: int) -> int:
        return self.port + _STEP * (node - 1)

    def _run(self, verb: str) -> None:
        command = [str(self._script), verb]
        done = subprocess.run(command, check=False, env=self._environment, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()[-2000:]


def _free_ports() -> int:
    while True:
        first = free_port()
        if not any(_open(first + _STEP * node + more) for node in range(NODES) for more in (0, 1)):
            return first


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three running nodes of the test's own; needs the folder of scripts in `DICTAMESH_TEST_SERVICES`."""
    owned = Cluster(Path(address(SERVICES)) / "kafka", tmp_path)
    try:
        owned.start()
        yield owned
    finally:
        owned.stop()
