# SPDX-License-Identifier: Apache-2.0
"""What a command and a start cost, beside an interpreter that does nothing."""

import shutil
import sys
import time
from pathlib import Path

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.serving import CONFIG, child, mesh_command, sources, until_ready
from tests.support.running import PROGRAM, ROOT, clean_environment

VALIDATE_TARGET = 0.5  # seconds of processor time
NOTHING = "python -c pass"


def validating(folder: Path, rounds: int) -> list[Figure]:
    """`validate` of the example as a user runs it: the whole process, from the second run on."""
    environment = processes.compiled(clean_environment({}), folder)
    processes.run([str(PROGRAM), "validate", "--config", str(CONFIG)], environment, ROOT)
    pairs = [
        (
            processes.run([str(PROGRAM), "validate", "--config", str(CONFIG)], environment, ROOT).cpu,
            processes.run([sys.executable, "-c", "pass"], environment, ROOT).cpu,
        )
        for _ in range(rounds)
    ]
    ours, floor = zip(*pairs, strict=True)
    return [Figure("`validate` of the example", "CPU s", ours, floor, NOTHING, VALIDATE_TARGET)]


def starting(folder: Path, rounds: int) -> list[Figure]:
    """From the command to the line `ready`: cold on an empty data folder, warm on the one that this left."""
    with sources(folder) as found:
        environment = processes.compiled(found, folder)
        _start(folder, environment, cold=True)
        started = [_start(folder, environment, cold=cold) for _ in range(rounds) for cold in (True, False)]
    figures = []
    for name, spent in (("cold: empty data folder", started[::2]), ("warm", started[1::2])):
        figures.append(Figure(f"start to ready, {name}", "wall s", [each.wall for each in spent]))
        figures.append(Figure(f"start to ready, {name}", "CPU s", [each.cpu for each in spent]))
    return figures


def _start(folder: Path, environment: dict[str, str], *, cold: bool) -> processes.Spent:
    data_dir = folder / "start"
    if cold:
        shutil.rmtree(data_dir, ignore_errors=True)
    began = time.monotonic()
    with child(mesh_command(data_dir), environment) as process:
        until_ready(process)
        return processes.Spent(time.monotonic() - began, processes.cpu(process.pid))
