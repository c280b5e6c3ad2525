# SPDX-License-Identifier: Apache-2.0
"""Processor time and resident memory of processes, read from /proc."""

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a command took, in seconds: on the wall, and of processor time in it and its children."""

    wall: float
    cpu: float


def compiled(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment with Python's compiled files kept under `folder`, whatever the caller's says of them."""
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Spent:
    """Run a command to its end; raises CalledProcessError with its output where it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=dict(environment), cwd=cwd, check=True, capture_output=True)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Spent(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def cpu(pid: int) -> float:
    """Seconds of processor time of a process and all below it, those that have ended included."""
    return sum(sum(map(int, _stat(each)[11:15])) for each in tree(pid)) / TICK


def memory(pid: int) -> int:
    """Bytes resident in a process and all below it; a page shared by two counts twice."""
    return sum(int(_stat(each)[21]) for each in tree(pid)) * PAGE


def peak(pid: int) -> int:
    """The most bytes that were resident in a process and in each below it that lives, added up."""
    return sum(_highest(each) for each in tree(pid))


def _highest(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM:")), 0)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))):
            children.setdefault(int(stat[1]), []).append(int(folder.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold anything; empty where the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
