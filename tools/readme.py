# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.readme`: write the outputs in README and the guides anew, from a running mesh; `--check` compares.

Each document gets a copy of the example and a mesh over it. Marks in the Markdown, in order:

- `<!-- run -->` before a `console` block: each line `$ COMMAND` is run by bash beside `examples/`, output follows it;
- `<!-- output: table -->` before a `console` block: what the runtime prints at its start, after the line `$ make run`;
- `<!-- output: contrast -->` before a `text` block: a customer of the tour as each caller sees it;
- `<!-- answer: CALLER -->` before a `json` block: the tour query, answered to the holder of `examples/keys/CALLER.key`;
- `<!-- file: PATH -->` before a `yaml` block: the block is written there, and the mesh reloads;
- `<!-- append: PATH -->`: the same at the end of the file;
- `<!-- edit: PATH OLD => NEW -->` and `<!-- restore: PATH -->`: an edit that the reader is told of in words.
"""

import argparse
import asyncio
import difflib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.sources import serve
from tests.support.running import ROOT, TOUR, Runtime, clean_environment, example_sources, running

DOCUMENTS = (
    "README.md",
    "docs/tutorial/a-fourth-product.md",
    "docs/how-to/contracts.md",
    "docs/how-to/find-personal-data.md",
    "docs/how-to/review-changes.md",
    "docs/how-to/lineage.md",
    "docs/how-to/audit-and-erasure.md",
    "docs/how-to/use-the-catalog.md",
)
MARK = re.compile(
    r"<!-- (?P<kind>run|output|answer|file|append|edit|restore)(?:: (?P<what>.*?))? -->\n"
    r"(?:(?P<open>```\w+\n)(?P<body>.*?)(?P<close>^```$))?",
    re.DOTALL | re.MULTILINE,
)
RELOADS = re.compile(r"^dictamesh_reloads_total\{.*\} (\d+)", re.MULTILINE)
RELOADED_WITHIN = 20.0  # seconds
WIDTH = 120
ERP = "examples/sources/erp.sqlite"
SOURCES = {
    "CMS_URL": f"http://127.0.0.1:{serve.CMS_PORT}",
    "SHOP_URL": f"http://127.0.0.1:{serve.SHOP_PORT}",
    "ERP_PATH": f"/srv/mesh/{ERP}",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document's commands run: a folder with the example, and a mesh over it."""

    folder: Path
    environment: Mapping[str, str]
    runtime: Runtime

    def neutral(self, text: str) -> str:
        """Text as it reads on a reader's machine: usual ports, no path of ours."""
        ports = {self.runtime.url: "http://127.0.0.1:8080", self.runtime.metrics_url: "http://127.0.0.1:9090"}
        for name, usual in SOURCES.items():
            ports[self.environment[name]] = usual
        for ours, theirs in {**ports, f"{self.folder}/": ""}.items():
            text = text.replace(ours, theirs)
        return text

    def real(self, text: str) -> str:
        """The command of a document with the ports that were free."""
        text = text.replace("http://127.0.0.1:8080", self.runtime.url)
        for name, usual in SOURCES.items():
            text = text.replace(usual, self.environment[name])
        return text


async def rewritten(text: str) -> str:
    """The text of a document with every output as it is now."""
    with tempfile.TemporaryDirectory(prefix="dictamesh-docs-") as temporary:
        folder = Path(temporary)
        _workspace(folder)
        async with example_sources(folder) as sources:
            data_dir = folder / ".dictamesh"
            async with running(folder / "examples" / "mesh.yaml", data_dir, sources.environment) as runtime:
                environment = clean_environment({**sources.environment, **_shell()})
                return await _pieces(text, Place(folder, environment, runtime))


def _workspace(folder: Path) -> None:
    folder.chmod(0o755)  # the embedded PostgreSQL of root runs as another user
    ignored = shutil.ignore_patterns("erp.sqlite*", "__pycache__", ".*")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
    (folder / ".venv").symlink_to(sys.prefix)
    # outputs tell how many heads were signed, which must not hang on how long a document takes
    mesh = folder / "examples" / "mesh.yaml"
    head, audit, rest = mesh.read_text("utf-8").partition("audit: {readers: [steward]")
    mesh.write_text(f"{head}{audit}, signEvery: 1d{rest}", "utf-8")


def _shell() -> dict[str, str]:
    return {"PATH": f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "110"}


async def _pieces(text: str, place: Place) -> str:
    made, end = [], 0
    for found in MARK.finditer(text):
        body = found["body"] or ""
        written = await _body(found["kind"], found["what"] or "", body, place)
        head = found[0] if found["open"] is None else found[0][: found.start("body") - found.start()]
        made += [text[end : found.start()], head, *([] if found["open"] is None else [written, found["close"]])]
        end = found.end()
    return "".join([*made, text[end:]])


async def _body(kind: str, what: str, body: str, place: Place) -> str:
    match kind:
        case "run":
            return "".join([part async for part in _commands(body, place)])
        case "output":
            return await (_contrast(place.runtime) if what == "contrast" else _table(place))
        case "answer":
            return f"{brief(await _answer(place.runtime, what))}\n"
        case "file" | "append" | "edit" | "restore":
            await _write(kind, what, body, place)
    return body


def brief(value: Any, indent: int = 0, key: str = "") -> str:
    """JSON that keeps on one line what fits there."""
    start = f"{' ' * indent}{key}"
    line = f"{start}{json.dumps(value, ensure_ascii=False)}"
    if len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    if isinstance(value, dict):
        parts = [brief(each, indent + 2, f"{json.dumps(name)}: ") for name, each in value.items()]
        return "\n".join([f"{start}{{", ",\n".join(parts), f"{' ' * indent}}}"])
    parts = [brief(each, indent + 2) for each in value]
    return "\n".join([f"{start}[", ",\n".join(parts), f"{' ' * indent}]"])


PASSING = (
    (r"^\S+ (\S+ READ)", r"... \1"),
    (r"^(customer) [0-9a-f]{32}\b", r"\1 ..."),
    (r"\b(due|asked for) \S+", r"\1 ..."),
    (r"(certificate: \w+) \S+ (row \d+) [0-9a-f]{16}", r"\1 ... \2 ..."),
    (r"\d+ signed heads(\n +the last \d+ rows are not signed yet)?", "... signed heads"),
)
"""What the audit prints, but for days, tokens, hashes, and how many minutes have passed."""


def lasting(text: str) -> str:
    """A document without what differs from run to run: hashes, tokens, days, measured times, trace ids."""
    text = re.sub(r'("trace_?[iI]d":")[0-9a-f]{32}', r"\1...", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d(T[\d:.]+(Z|\+00:00))?\b", "...", text)
    text = re.sub(r'("averageLatencyMs": )[0-9.]+', r"\1...", text)
    for pattern, kept in PASSING:
        text = re.sub(pattern, kept, text, flags=re.MULTILINE)
    return re.sub(r"\d+(\.\d+)? ms, promised", "... ms, promised", re.sub(r"(\bplan\s+)[0-9a-f]{12}", r"\1...", text))


async def _table(place: Place) -> str:
    sources = f"sources: cms http://127.0.0.1:{serve.CMS_PORT}, shop http://127.0.0.1:{serve.SHOP_PORT}, erp {ERP}"
    told = place.neutral("".join(place.runtime.output)).replace("in .dictamesh", "in ./.dictamesh")
    return f"$ make run\n{sources}\n{told}"


async def _contrast(runtime: Runtime) -> str:
    """The first customer of the tour as each caller sees it."""
    rows = [("", "name", "email", "total of the first invoice")]
    for caller in ("anonymous", "analyst", "support"):
        first = (await _answer(runtime, caller))["data"]["customers"][0]
        rows.append((caller, first["name"], first["email"], json.dumps(first["invoices"][0]["total"])))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


async def _answer(runtime: Runtime, caller: str) -> Any:
    return await runtime.ask(TOUR, None if caller == "anonymous" else caller)


async def _commands(body: str, place: Place) -> AsyncIterator[str]:
    for command in _asked(body):
        yield f"$ {command}\n"
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            place.real(command),
            cwd=place.folder,
            env=dict(place.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        shown = place.neutral(output.decode()).rstrip("\n")
        if shown:
            yield f"{shown}\n"


def _asked(body: str) -> Iterator[str]:
    """The commands of a console block; one that ends in a backslash goes on in the next line."""
    for found in re.finditer(r"^\$ ((?:.*\\\n)*.*)$", body, re.MULTILINE):
        yield found[1]


async def _write(kind: str, what: str, body: str, place: Place) -> None:
    name, _, change = what.partition(" ")
    path = place.folder / name
    before = await _reloads(place.runtime)
    match kind:
        case "file":
            path.write_text(body, encoding="utf-8")
        case "append":
            path.write_text(path.read_text(encoding="utf-8") + body, encoding="utf-8")
        case "edit":
            old, _, new = change.partition(" => ")
            text = path.read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise ValueError(f"{name} holds {old!r} {text.count(old)} times")
            path.write_text(text.replace(old, new), encoding="utf-8")
        case _:
            shutil.copy(ROOT / name, path)
    async with asyncio.timeout(RELOADED_WITHIN):
        while await _reloads(place.runtime) == before:  # noqa: ASYNC110 - another process tells through its metrics
            await asyncio.sleep(0.1)


async def _reloads(runtime: Runtime) -> int:
    return sum(int(count) for count in RELOADS.findall(await runtime.metrics()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite, or with `--check` print what differs; 1 where something does."""
    parser = argparse.ArgumentParser(prog="python -m tools.readme", description=__doc__)
    parser.add_argument("documents", nargs="*", default=DOCUMENTS)
    parser.add_argument("--check", action="store_true", help="write nothing")
    given = parser.parse_args(arguments)
    stale = False
    for name in given.documents:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        new = asyncio.run(rewritten(old))
        stale |= lasting(old) != lasting(new)
        if given.check and lasting(old) != lasting(new):
            sys.stdout.writelines(
                difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, f"{name} (now)")
            )
        elif not given.check:
            path.write_text(new, encoding="utf-8")
    return int(stale and given.check)


if __name__ == "__main__":
    sys.exit(main())
