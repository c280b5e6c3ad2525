# SPDX-License-Identifier: Apache-2.0
"""What several commands share: the tree they work on and how they print."""

import argparse
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dictamesh.runtime.cli.exits import UsageError
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.build import Built, build_file
from dictamesh.specs.diagnostics import Diagnostic, render
from dictamesh.specs.diagnostics.source import Source
from dictamesh.specs.documents import MAX_BYTES
from dictamesh.specs.suggest import suggest

_LONGEST = 200  # characters of a word that a message repeats
_OBEYED = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def config_of(options: argparse.Namespace) -> Path:
    """Return the mesh file; raises UsageError where none is named or it is not there."""
    if options.config is None:
        raise UsageError("name the mesh file: --config mesh.yaml")
    path = Path(options.config)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise UsageError(f"the mesh file {quoted(options.config)} cannot be read ({_reason(error)})") from None
    if not stat.S_ISREG(mode):
        raise UsageError(f"the mesh file {quoted(options.config)} is no file")
    return path


def bytes_of(name: str) -> bytes:
    """Return what a file named on the command line holds, a little more than any spec may; raises UsageError."""
    try:
        with open(name, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"the file {quoted(name)} cannot be read ({_reason(error)})") from None


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files into a folder, which is made where it is not there; each is whole or as it was. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            draft = folder / f".{name}.new"
            draft.write_text(text, encoding="utf-8")
            draft.replace(folder / name)
    except OSError as error:
        raise UsageError(f"the folder {quoted(str(folder))} cannot be written ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "no such path"


def quoted(text: str) -> str:
    """A word of the command line, short and printable."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"'{shown}'" if shown.isprintable() else ascii(shown)


def built(options: argparse.Namespace) -> Built:
    return build_file(config_of(options))


def plan_of(options: argparse.Namespace, otherwise: Callable[[], int]) -> Plan | int:
    """Return the plan, or the exit code after printing what stands in its way."""
    made = built(options)
    if made.plan is None:
        show(made.diagnostics, made.sources)
        return otherwise()
    return made.plan


def products_of(plan: Plan, names: Sequence[str]) -> list[str]:
    """Return the products that are named, each once, all for none; raises UsageError where there is none of a name."""
    for name in names:
        if name not in plan.products:
            near = suggest(name, plan.products)
            hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(plan.products)}"
            raise UsageError(f"there is no product {quoted(name)}; {hint}")
    return list(dict.fromkeys(names)) or list(plan.products)


def entities_of(plan: Plan, name: str | None) -> list[EntityPlan]:
    """Return the entity that a type or `product#Entity` names, all for None; raises UsageError where there is none."""
    found = [each for each in plan.entities.values() if name in {None, each.name, each.address}]
    if not found and name is not None:
        names = [each.name for each in plan.entities.values()]
        near = suggest(name, names)
        hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(names)}" if names else "nothing is served"
        raise UsageError(f"there is no entity {quoted(name)}; {hint}")
    return found


def show(found: Iterable[Diagnostic], sources: Mapping[str, Source]) -> None:
    """Print diagnostics to standard error, in colour on a terminal."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    print(render(found, sources, colour=colour), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print JSON with two spaces of indentation."""
    print(escaped(json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str)))


def escaped(written: str) -> str:
    """Return JSON that says the same and that no terminal obeys: JSON itself lets control characters from 127 on."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def visible(text: str) -> str:
    """Return a text of a stranger as one line that no terminal obeys: what cannot be seen is written as an escape."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _plain(value: Any) -> Any:
    """A value that JSON can hold: keys as text, and text as UTF-8 can write it."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["text", "json"], default="text", help="how to print (default: text)")
