# SPDX-License-Identifier: Apache-2.0
"""What the disaster strikes: servers as processes that are killed with -9 and started again where they stood."""

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from dictamesh.runtime.catalog.layout import SERVER_UID
from tests.support.postgres import programs_of_15

PATIENCE = 120.0


def free_port() -> int:
    """A free port that no outgoing connection is given while its server is down."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _two_free_ports() -> int:
    while True:
        port = free_port()
        with socket.socket() as after, contextlib.suppress(OSError):
            after.bind(("127.0.0.1", port + 1))
            return port


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@dataclass
class Postgres:
    """A PostgreSQL 15 on a port of its own, with logical decoding."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://dictamesh@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        programs = programs_of_15()
        assert programs is not None, "no PostgreSQL 15"
        if not self.home.exists():
            self.home.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(self.home, SERVER_UID, SERVER_UID)
            made = [str(programs / "initdb"), f"--pgdata={self.home}", "--username=dictamesh", "--auth=trust"]
            subprocess.run([*made, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, **_owner())
        (self.home / "postmaster.pid").unlink(missing_ok=True)  # what was killed left it there
        settings = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "wal_level=logical",
            "max_connections=200",
        )
        options = [part for each in settings for part in ("-c", each)]
        with (self.home.parent / f"{self.home.name}.log").open("ab") as log:
            command = [str(programs / "postgres"), "-D", str(self.home), "-p", str(self.port), *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **_owner())
        until(self.answers, f"PostgreSQL at {self.home}")

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.dsn, connect_timeout=1) as connection:
            return connection.execute(b"SELECT NOT pg_is_in_recovery()").fetchone() == (True,)
        return False

    def kill(self) -> None:
        """Kill the postmaster; its children see that and leave."""
        assert self.process is not None
        kill(self.process.pid)
        self.process.wait()
        until(lambda: not _alive(self.process.pid if self.process else 0), "the children of the postmaster")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)


@dataclass
class Service:
    """A service of the folder ``DICTAMESH_TEST_SERVICES``: a script that starts it, and a file with its process."""

    script: Path
    data: Path
    pid_file: str
    settings: dict[str, str]

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.settings, "SERVICES_DATA": str(self.data)}
        log = self.data / f"{self.script.name}.start.log"
        with log.open("wb") as output:  # what it starts keeps the output open
            done = subprocess.run(
                [self.script, "start"], env=environment, stdout=output, stderr=output, timeout=300, check=False
            )
        assert done.returncode == 0, log.read_text()

    @property
    def pid(self) -> int:
        return int((self.data / self.pid_file).read_text().split()[0])

    def kill(self) -> None:
        pid = self.pid
        kill(pid)
        until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or _zombie(pid), f"{self.script.name} is gone")
        (self.data / self.pid_file).unlink()  # where nobody has reaped it yet, the script would take it for alive

    def pause(self) -> None:
        """Let it hang: its connections stand, and nothing answers."""
        kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        environment = {**os.environ, **self.settings, "SERVICES_DATA": str(self.data)}
        subprocess.run([self.script, "stop"], env=environment, capture_output=True, timeout=120, check=False)


def kafka(folder: Path, home: Path, proxy: str | None = None) -> tuple[Service, str, "Link | None"]:
    """A broker, its address, and with a toxiproxy the link that it tells its clients to come by.

    Its controller listens at the next port. A broker sends its clients to the address that it advertises, which is its
    own: a `java` ahead on the path adds the setting that makes it the link's.
    """
    port = _two_free_ports()
    settings = {"KAFKA_PORT": str(port), "KAFKA_HEAP": "512m"}
    way = link(proxy, port) if proxy is not None else None
    if way is not None:
        settings["PATH"] = f"{_java(home / 'bin', way.port)}{os.pathsep}{os.environ['PATH']}"
    address = f"127.0.0.1:{way.port if way is not None else port}"
    return Service(folder / "kafka", home, "kafka/node1/pid", settings), address, way


def _java(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True)
    java = folder / "java"
    java.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" kafka.Kafka "*)'
        f' exec {shutil.which("java")} "$@" --override advertised.listeners=PLAINTEXT://127.0.0.1:{port} ;; esac\n'
        f'exec {shutil.which("java")} "$@"\n'
    )
    java.chmod(0o755)
    return folder


def registry(folder: Path, home: Path) -> tuple[Service, str]:
    """A schema registry, and its address."""
    port = free_port()
    service = Service(folder / "schema-registry", home, "schema-registry/pid", {"SR_PORT": str(port)})
    return service, f"http://127.0.0.1:{port}/apis/ccompat/v7"


def connect(folder: Path, home: Path, broker: str) -> tuple[Service, str]:
    """A worker of Kafka Connect with Debezium, and its address."""
    port = free_port()
    settings = {"CONNECT_PORT": str(port), "KAFKA_PORT": broker.rpartition(":")[2]}
    return Service(folder / "connect", home, "connect/pid", settings), f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Link:
    """A connection through a toxiproxy at `api`, which can be cut."""

    api: str
    name: str
    port: int

    def cut(self) -> None:
        self._ask("POST", f"/proxies/{self.name}", {"enabled": False})

    def mend(self) -> None:
        self._ask("POST", f"/proxies/{self.name}", {"enabled": True})

    def remove(self) -> None:
        self._ask("DELETE", f"/proxies/{self.name}", None)

    def _ask(self, method: str, path: str, body: object) -> None:
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", sent, {"User-Agent": "tests"}, method=method)
        with urllib.request.urlopen(request, timeout=10):
            pass


def link(api: str, to: int) -> Link:
    """A new link to a port of this machine."""
    made = Link(api, f"disaster-{secrets.token_hex(4)}", free_port())
    made._ask(
        "POST", "/proxies", {"name": made.name, "listen": f"127.0.0.1:{made.port}", "upstream": f"127.0.0.1:{to}"}
    )
    return made


def services_folder() -> Path | None:
    """The folder of start scripts, with a JDK to run them, or None."""
    given = os.environ.get("DICTAMESH_TEST_SERVICES")
    return Path(given) if given and shutil.which("java") else None


def _owner() -> dict[str, int]:
    return {"user": SERVER_UID, "group": SERVER_UID} if os.geteuid() == 0 else {}


def _alive(session: int) -> bool:
    """Whether a process of a session is there."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            rest = stat.read_text().rpartition(")")[2].split()
            if rest[3] == str(session) and rest[0] != "Z":
                return True
    return False


def _zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited too long: {what}"
        time.sleep(0.05)
