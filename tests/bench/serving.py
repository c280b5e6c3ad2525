# SPDX-License-Identifier: Apache-2.0
"""Processor time per request of a running mesh, beside the handwritten server, both asked by turns in the same run.

The sources and the load run in processes of their own and are not counted; the embedded PostgreSQL is.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.sources.serve import key
from tests.bench import processes
from tests.bench.figures import Figure
from tests.support.running import PROGRAM, READY, ROOT, TOUR, clean_environment

CONFIG = ROOT / "examples" / "mesh.yaml"
FLOOR = "handwritten"


@dataclass(frozen=True, slots=True)
class Shape:
    """A query to measure and the caller who asks it; `same` where the handwritten server must answer it alike."""

    name: str
    query: str
    caller: str | None
    same: bool


SHAPES = (
    Shape("tour query, anonymous (masked)", TOUR, None, same=False),
    Shape("tour query, support (clear, audited)", TOUR, "support", same=True),
    Shape("flat query, 100 customers", "{ customers(limit: 100) { id country } }", None, same=True),
    Shape("one product by key, cached", '{ product(id: "p-0001") { id sku name price category } }', None, same=True),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load: the process whose tree is counted, and where it answers."""

    pid: int
    url: str

    def ask(self, query: str, caller: str | None) -> Any:
        headers = {"Content-Type": "application/json"} | ({"X-API-Key": key(f"{caller}.key")} if caller else {})
        request = urllib.request.Request(self.url, json.dumps({"query": query}).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one round of load showed: microseconds of processor time per request, requests per second, milliseconds."""

    cpu: float
    rate: float
    p99: float


@contextmanager
def child(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is asked to stop at the end, and killed if it will not within 40 s."""
    process = subprocess.Popen(command, env=dict(environment), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextmanager
def sources(folder: Path) -> Iterator[dict[str, str]]:
    """The example's systems in a process; yields the environment that names them."""
    environment = clean_environment({"ERP_PATH": str(folder / "erp.sqlite")})
    command = [sys.executable, str(ROOT / "examples/sources/serve.py"), "--cms-port", "0", "--shop-port", "0"]
    with child(command, environment) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield {**environment, "CMS_URL": told["cms"], "SHOP_URL": told["shop"], "ERP_PATH": told["erp"]}


def mesh_command(data_dir: Path) -> list[str]:
    """Serve the example on free ports."""
    ports = ["--port", "0", "--metrics-port", "0"]
    return [str(PROGRAM), "--config", str(CONFIG), *ports, "--data-dir", str(data_dir), "--log-level", "error"]


@contextmanager
def mesh(folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """The runtime over the example."""
    with child(mesh_command(folder / "data"), environment) as process:
        yield Server(process.pid, f"{until_ready(process)}/graphql")


@contextmanager
def handwritten(environment: Mapping[str, str]) -> Iterator[Server]:
    """The floor."""
    with child([sys.executable, "-m", "tests.bench.handwritten"], environment) as process:
        yield Server(process.pid, f"{until_ready(process)}/graphql")


def until_ready(process: subprocess.Popen[str]) -> str:
    """Wait for the line `ready` and return the address in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := READY.search(line):
            return found[1]
    raise RuntimeError("the server did not start")


def load(server: Server, shape: Shape, count: int) -> Loaded:
    """One round of load."""
    command = [sys.executable, "-m", "tests.bench.load", server.url, shape.query, "--count", str(count)]
    if shape.caller:
        command += ["--key", key(f"{shape.caller}.key")]
    before = processes.cpu(server.pid)
    done = subprocess.run(command, env=dict(os.environ), cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    spent = processes.cpu(server.pid) - before
    return Loaded(spent / told["requests"] * 1e6, told["requests"] / told["seconds"], told["p99"])


def measure(folder: Path, rounds: int, count: int) -> list[Figure]:
    """Load both servers by turns, `rounds` times each; raises AssertionError where their answers differ."""
    with ExitStack() as stack:
        environment = stack.enter_context(sources(folder))
        ours = stack.enter_context(mesh(folder, environment))
        floor = stack.enter_context(handwritten(environment))
        figures = [each for shape in SHAPES for each in _shape(shape, ours, floor, rounds, count)]
        memory = Figure("memory after it, with PostgreSQL", "MB", [processes.memory(ours.pid) / 1e6])
        return [*figures, memory]


def _shape(shape: Shape, ours: Server, floor: Server, rounds: int, count: int) -> list[Figure]:
    if shape.same:
        assert ours.ask(shape.query, shape.caller)["data"] == floor.ask(shape.query, None)["data"], shape.name
    load(ours, shape, count // 3)  # warm: caches, prepared statements, specialised bytecode
    load(floor, shape, count // 3)
    pairs = [(load(ours, shape, count), load(floor, shape, count)) for _ in range(rounds)]
    us, them = zip(*pairs, strict=True)
    cpu = Figure(shape.name, "CPU us/request", [each.cpu for each in us], [each.cpu for each in them], FLOOR)
    rates = ([each.rate for each in us], [each.rate for each in them])
    return [cpu, Figure("- the same, rate on 8 connections", "requests/s", *rates, FLOOR)]
