# SPDX-License-Identifier: Apache-2.0
"""`dictamesh-runtime`: serves a mesh, or runs one command on it. Exit codes: S32."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from types import ModuleType

from dictamesh.runtime.cli.exits import DEPENDENCY, FINDINGS, USAGE, UsageError

COMMANDS = {
    "serve": "serve the mesh (what happens without a command)",
    "validate": "check every spec and run the policies' tests",
    "plan": "show what the specs come to",
    "diff": "compare two trees of specs: what breaks for whom, and who would see more",
    "schema": "print the GraphQL SDL, an Avro schema or the JSON Schema of the spec files",
    "query": "answer a GraphQL operation without a server",
    "policy": "test or explain policies",
    "import": "make products of contracts (odcs)",
    "export": "write contracts and schemas for other tools (odcs, avro, jsonschema, sql, dbt, asyncapi)",
    "events": "read topics, read or publish them again, compare them with the plan",
    "quality": "run the quality rules of products",
    "lineage": "show what a field is made of and where it goes",
    "token": "turn tokens back into what they stand for",
    "audit": "verify, read or export the audit log",
    "erase": "erase a data subject in all products, or show how erasures stand",
    "dlq": "show, retry or drop records that no event could be made of",
    "retention": "take out what is older than its contract allows",
    "contract-test": "hold a product against its contract",
    "state": "show where captured sources stand, or make their capture begin anew",
    "sync": "read a product's sources as a whole, now",
    "scan": "look for untagged personal data in the sources and propose tags",
    "migrate": "bring the catalog's tables up or down, or show their state",
    "doctor": "check what the mesh depends on",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no traceback reaches the user."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack characters that specs hold
    try:
        options = _parser(given).parse_args(given)
        return int(options.run(options))
    except UsageError as error:
        return _say(error, USAGE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of our output has gone; nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS
    except UnicodeEncodeError as error:
        if any(not _is_text(each) for each in given):
            return _say(UsageError("an argument is no UTF-8 text"), USAGE)
        return _unexpected(error)
    except Exception as error:  # noqa: BLE001 - the last resort: a text of ours, never a traceback or a foreign message
        return _unexpected(error)


def _is_text(argument: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in argument)


def _say(error: Exception, code: int) -> int:
    print(f"dictamesh-runtime: {error}", file=sys.stderr)
    return code


def _unexpected(error: Exception) -> int:
    from dictamesh.runtime.catalog.errors import CatalogUnavailable  # noqa: PLC0415 - start fast: most runs need none
    from dictamesh.runtime.mesh.failure import StartFailed  # noqa: PLC0415 - likewise
    from dictamesh.runtime.observe.faults import exception_fields  # noqa: PLC0415 - likewise

    if isinstance(error, StartFailed | CatalogUnavailable):
        print(f"dictamesh-runtime: {error.message}\n  = {error.cure}", file=sys.stderr)
        return DEPENDENCY
    told = ", ".join(f"{key} {value}" for key, value in exception_fields(error).items())
    print(f"dictamesh-runtime: this is a fault of DictaMesh, please report it ({told})", file=sys.stderr)
    return DEPENDENCY


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dictamesh-runtime",
        description="One config file in, a governed federated GraphQL API out.",
        epilog="Without a command the mesh is served.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="the mesh file")
    parser.add_argument("--version", action="version", version=_version() if "--version" in given else "")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    chosen = _chosen(given)
    for name, text in COMMANDS.items():
        about = text[0].upper() + text[1:] + "."
        command = commands.add_parser(name, help=text, description=about, allow_abbrev=False)
        command.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the mesh file")
        if name == chosen:
            _module(name).arguments(command)
    if chosen == "serve":
        _module("serve").arguments(parser)
    return parser


def _chosen(given: Sequence[str]) -> str:
    """The command: the first word that is one and is not the name of the mesh file."""
    before = ["", *given]
    words = (word for word, previous in zip(given, before, strict=False) if previous != "--config")
    return next((word for word in words if word in COMMANDS), "serve")


def _module(command: str) -> ModuleType:
    name = command.replace("-", "_") + ("_" if iskeyword(command) else "")
    return import_module(f"dictamesh.runtime.cli.{name}")


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - start fast: read only when asked for

    return f"dictamesh {version('dictamesh')}"


if __name__ == "__main__":
    sys.exit(main())
