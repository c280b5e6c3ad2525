# SPDX-License-Identifier: Apache-2.0
"""`make verify-events`: what is claimed of events, in full: nothing lost, beside Debezium, published, read, heard.

Starts what it needs from the folder of scripts ``DICTAMESH_TEST_SERVICES``; ``DICTAMESH_TEST_KAFKA`` and
``DICTAMESH_TEST_TOXIPROXY`` name servers that run already. Toxiproxy is else the `toxiproxy-server` of the path. All
parts run, whatever one of them finds; one summary ends it, with 1 where something was lost or a target missed.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.disaster import parts
from tests.support.running import ROOT
from tests.support.services import KAFKA, SERVICES, TOXIPROXY

TOLD = (
    "| ",
    "- ",
    "seed ",
    "log ",
    "kafka ",
    "owners ",
    "replaced ",
    "FAILED",
    "ERROR",
)  # how lines of a summary begin


@dataclass(frozen=True)
class Part:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


def main() -> int:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.events", description=__doc__)
    parser.add_argument("parts", nargs="*", help="default: all")
    parser.add_argument("--changes", type=int, default=100_000, help="changes that the disaster is to let through")
    parser.add_argument("--kills", type=int, default=10, help="how often each is struck")
    parser.add_argument("--drained", type=int, default=50_000, help="changes of the backlog beside Debezium")
    given = parser.parse_args()
    if parts.services_folder() is None:
        sys.exit(f"set {SERVICES} to the folder of scripts that start services; they need a JDK")
    with _servers() as addresses:
        found = _parts(given, addresses)
        if unknown := set(given.parts) - {each.name for each in found}:
            parser.error(f"no such part: {', '.join(sorted(unknown))}")
        done = {each.name: _run(each) for each in found if not given.parts or each.name in given.parts}
    print("\n# Events: summary")
    for name, (code, seconds, told) in done.items():
        print(f"\n## {name}: {'as it should be' if code == 0 else 'NOT AS IT SHOULD BE'} ({seconds:.0f} s)\n")
        print("\n".join(told))
    return 0 if all(code == 0 for code, _, _ in done.values()) else 1


def _parts(given: argparse.Namespace, addresses: Mapping[str, str]) -> list[Part]:
    python = (sys.executable, "-m")
    size = {"DICTAMESH_EVENTS_CHANGES": str(given.changes), "DICTAMESH_EVENTS_KILLS": str(given.kills)}
    tests = (*python, "pytest", "-s", "-p", "no:cacheprovider")
    return [
        Part("nothing is lost", (*tests, "tests/e2e/test_disaster.py"), {**addresses, **size}),
        Part("replicas", (*tests, "tests/e2e/test_capture.py"), addresses),
        Part("beside Debezium", (*python, "tests.bench.debezium", str(given.drained)), addresses),
        Part("published, read and heard", (*python, "tests.bench", "relay", "subscribe", "--rounds", "3"), addresses),
    ]


def _run(part: Part) -> tuple[int, float, list[str]]:
    """Run a part, let its output through, and return its exit code, how long it took, and what it told."""
    print(f"\n# {part.name}", flush=True)
    told: list[str] = []
    began = time.monotonic()
    with subprocess.Popen(
        part.command, env={**os.environ, **part.environment}, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith(TOLD):
                told.append(line.rstrip())
    return process.returncode, time.monotonic() - began, told


@contextlib.contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """The addresses of a Kafka and a toxiproxy, which run for the block where nobody has named any."""
    scripts = parts.services_folder()
    assert scripts is not None
    with contextlib.ExitStack() as stack:
        found = {name: os.environ[name] for name in (KAFKA, TOXIPROXY) if os.environ.get(name)}
        if TOXIPROXY not in found:
            found[TOXIPROXY] = stack.enter_context(_toxiproxy())
        if KAFKA not in found:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dictamesh-events-")))
            broker, found[KAFKA], _ = parts.kafka(scripts, folder)
            broker.start()
            stack.callback(broker.stop)
        yield found


@contextlib.contextmanager
def _toxiproxy() -> Iterator[str]:
    program = shutil.which("toxiproxy-server")
    if program is None:
        sys.exit(f"set {TOXIPROXY} to the URL of a toxiproxy, or put toxiproxy-server on the path")
    port = parts.free_port()
    with subprocess.Popen(
        [program, "-host", "127.0.0.1", "-port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            parts.until(lambda: parts.listens(port), "toxiproxy answers")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
