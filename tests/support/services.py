# SPDX-License-Identifier: Apache-2.0
"""Real services for tests, found by address: `DICTAMESH_TEST_KAFKA` (host:port), `DICTAMESH_TEST_REGISTRY` (the URL
of Confluent's API), `DICTAMESH_TEST_TOXIPROXY`. Without its address a test skips with the reason; under `CI=true` it
fails. Topics and subjects are given random names, so that tests share a server."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

KAFKA, REGISTRY, TOXIPROXY = "DICTAMESH_TEST_KAFKA", "DICTAMESH_TEST_REGISTRY", "DICTAMESH_TEST_TOXIPROXY"
SERVICES = "DICTAMESH_TEST_SERVICES"  # the folder of scripts that start servers which a test may kill


def address(variable: str) -> str:
    """The address in a variable, or a skip that says what is missing."""
    found = os.environ.get(variable)
    if not found:
        reason = f"set {variable} to the address of a running server"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def kafka() -> str:
    """The bootstrap address of a Kafka that tests share."""
    return address(KAFKA)


@pytest.fixture(scope="session")
def registry() -> str:
    """The URL of a schema registry that tests share."""
    return address(REGISTRY)


@pytest.fixture(scope="session")
def toxiproxy() -> str:
    """The URL of a toxiproxy's API."""
    return address(TOXIPROXY)


def unique(name: str) -> str:
    """A name that no other test has."""
    return f"{name}-{secrets.token_hex(4)}"


def free_port() -> int:
    """A free port that no outgoing connection is given while its server is down."""
    while True:
        port = secrets.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port


class Broker:
    """A Kafka of one node that a test owns: it may be killed and started again on the same port with its data."""

    def __init__(self, script: Path, folder: Path) -> None:
        self.port = free_port()
        while self.port > 60_000:
            self.port = free_port()
        self._script = script
        self._environment = {
            **os.environ,
            "SERVICES_DATA": str(folder),
            "KAFKA_PORT": str(self.port),
            "KAFKA_HEAP": "256m",
            "KAFKA_NODES": "1",
        }
        self._folder = folder

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._run("start")

    def stop(self) -> None:
        self._run("stop")

    def kill(self) -> None:
        """End it without a chance to write anything."""
        for name in self._folder.rglob("*pid*"):
            with contextlib.suppress(ValueError, ProcessLookupError, OSError):
                os.kill(int(name.read_text().split()[0]), signal.SIGKILL)
                name.unlink()  # where nobody reaps it, its script would take the dead one for alive
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the broker outlived a kill -9")

    def _run(self, verb: str) -> None:
        done = subprocess.run(
            [str(self._script), verb], check=False, env=self._environment, capture_output=True, timeout=180
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running Kafka of the test's own; needs the folder of scripts in `DICTAMESH_TEST_SERVICES`."""
    script = Path(address(SERVICES)) / "kafka"
    owned = Broker(script, tmp_path)
    owned.start()
    try:
        yield owned
    finally:
        with contextlib.suppress(AssertionError):
            owned.stop()


def registered(url: str, subject: str) -> list[int]:
    """The versions of a subject, asked of the registry without our own client."""
    try:
        with urllib.request.urlopen(f"{url}/subjects/{subject}/versions", timeout=5) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return []
