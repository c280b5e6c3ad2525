# SPDX-License-Identifier: Apache-2.0
"""The command line takes anything: a right exit code, a text of ours, never a traceback (S32)."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dictamesh.runtime.cli.main import COMMANDS

Run = Callable[..., tuple[int, str, str]]

WORDS = (
    *COMMANDS, "--config", "--format", "json", "text", "xml", "--strict", "--as", "reader", "", "--purpose", "care",
    "--claim", "areas=north", "level=x", "=", "--live", "people", "people#Person.email", "people#", "#", "test",
    "explain", "--from", ".", "--fail-on", "safe", "reveal",
    "avro", "graphql", "Person", "{ personsCount }", "{", "-", "--", "--data-dir", "data", "--variables",
    "{}", "null",
    "--operation", "A", "status", "--help", "-h", "--version", "--vers", "--conf", "--port", "99999", "-1",
    "\udcff\udcfe",
    "\0", "a" * 5000, "\u2028", "--log-level", "loud", "../x", "/", "~", "${env:HOME}", "@format {this}",
)  # fmt: skip
RUNS = int(os.environ.get("DICTAMESH_CLI_FUZZ", "700"))
STARTS = {"serve", "migrate", "doctor"}  # those that start servers are tried by name elsewhere


def test_random_command_lines(mesh: Path, run: Run) -> None:
    dice = random.Random(20260131)
    codes: dict[int, int] = {}
    for _ in range(RUNS):
        line = [dice.choice(WORDS) for _ in range(dice.randint(0, 6))]
        if dice.random() < 0.7:
            line = [dice.choice([each for each in COMMANDS if each not in STARTS]), *line, "--config", str(mesh)]
        if STARTS & set(line) or not set(COMMANDS) & set(line):
            continue
        code, out, err = run(*line)
        assert code in {0, 1, 2, 3}, line
        assert "fault of DictaMesh" not in err, (line, err)
        assert code == 0 or out or err, line
        codes[code] = codes.get(code, 0) + 1
    print(f"exit codes of {sum(codes.values())} command lines: {codes}")
    assert {0, 2} <= codes.keys()  # whether one of the lines finds something depends on the commands there are


def test_nothing_at_all_is_wrong_usage(run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "--config" in err


def test_version_and_help(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("dictamesh ")
    for words in ([], *([name] for name in COMMANDS)):
        code, out, _ = run(*words, "--help")
        assert code == 0
        assert out.startswith("usage: dictamesh-runtime")


def test_a_mesh_file_named_like_a_command(mesh: Path, run: Run) -> None:
    for name in COMMANDS:
        mesh.with_name(name).write_bytes(mesh.read_bytes())
        code, out, _ = run("--config", name, "query", "{ personsCount }")
        assert (code, "6" in out) == (0, True), name


def broken(tmp_path: Path) -> dict[str, Path]:
    """Mesh files that are none."""
    found = {name: tmp_path / name for name in ("missing", "folder", "empty", "binary", "huge", "deep", "loop", "fifo")}
    found["folder"].mkdir()
    found["empty"].touch()
    found["binary"].write_bytes(bytes(range(256)) * 64)
    found["huge"].write_text("a: b\n" * 2_000_000, encoding="utf-8")
    found["deep"].write_text("[" * 100_000, encoding="utf-8")
    found["loop"].symlink_to(found["loop"])
    os.mkfifo(found["fifo"])
    found["below a file"] = found["empty"] / "mesh.yaml"
    found["too long"] = tmp_path / ("x" * 5000)
    found["NUL"] = tmp_path / "a\0b"
    texts = {
        "scalar": "42",
        "list": "[1, 2]",
        "null": "null",
        "other kind": "apiVersion: dictamesh/v1\nkind: Policy\n",
        "no kind": "a: 1\n",
        "anchors": "a: &a [1]\nb: *a\n",
        "two meshes": "---\n".join(f"apiVersion: dictamesh/v1\nkind: Mesh\nname: {name}\n" for name in "ab"),
        "unclosed": "a: [1, 2\nb: {",
        "tab": "a:\n\t- b\n",
        "bom": "\ufeffapiVersion: dictamesh/v1\n",
        "surrogate": 'name: "\\ud800"\n',
    }
    for name, text in texts.items():
        found[name] = tmp_path / f"{name.replace(' ', '-')}.yaml"
        found[name].write_text(text, encoding="utf-8")
    return found


def test_broken_mesh_files(tmp_path: Path, run: Run) -> None:
    for name, path in broken(tmp_path).items():
        for command in (
            ["validate"],
            ["validate", "--format", "json"],
            ["plan"],
            ["query", "{ a }"],
            ["policy", "test"],
            ["serve"],
        ):
            code, out, err = run(*command, "--config", str(path))
            assert code in {1, 2}, (name, command, out, err)
            assert "fault of DictaMesh" not in err, (name, command, err)
            assert len(out) + len(err) < 20_000, (name, command)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything; the test below becomes another user")
def test_an_unreadable_mesh_file(mesh: Path, run: Run) -> None:
    mesh.chmod(0)
    code, _, err = run("validate", "--config", str(mesh))
    assert code in {1, 2}
    assert "fault of DictaMesh" not in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_unreadable_paths_as_another_user(mesh: Path) -> None:
    program = "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    program += "from dictamesh.runtime.cli.main import main; sys.exit(main(sys.argv[1:]))"
    mesh.chmod(0o600)
    mesh.parent.chmod(0o700)
    for path in (mesh, mesh.parent):
        # what is needed is loaded before the rights are given up: the interpreter may lie where nobody else can read
        loaded = "import dictamesh.runtime.cli.validate\n" + program
        ended = subprocess.run(
            [sys.executable, "-c", loaded, "validate", "--config", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode in {1, 2}, ended.stderr
        assert "Traceback" not in ended.stderr
        assert "fault of DictaMesh" not in ended.stderr


def test_a_reader_that_goes_away(mesh: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "dictamesh.runtime.cli.main", "plan", "--format", "json", "--config", str(mesh)]
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr
    assert ended.returncode in {0, 1}
