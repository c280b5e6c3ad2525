# SPDX-License-Identifier: Apache-2.0
"""`make bench`: figures of the language, of starting, of serving, of auditing and of capture, as a Markdown table.

Every figure is measured several times; those with a floor as a ratio to something that ran in the same minute, because
the machine is shared and its speed is nobody's promise. Exits with 1 where a target is missed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import auditing, capturing, decisions, language, serving, starting
from tests.bench.figures import table

PARTS = ("language", "decisions", "validate", "start", "serve", "audit", "capture")


def main() -> int:
    """Measure the chosen parts and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=300, help="requests of one round of load")
    given = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory(prefix="dictamesh-bench-") as temporary:
        Path(temporary).chmod(0o755)  # the embedded PostgreSQL of root runs as another user
        for part in given.parts or PARTS:
            print(f"measuring {part} ...", file=sys.stderr, flush=True)
            folder = Path(temporary) / part
            folder.mkdir()
            match part:
                case "language":
                    figures += language.measure(folder, given.rounds)
                case "decisions":
                    figures += decisions.measure(folder, given.rounds)
                case "validate":
                    figures += starting.validating(folder, given.rounds)
                case "start":
                    figures += starting.starting(folder, given.rounds)
                case "audit":
                    figures += auditing.measure(folder, given.rounds)
                case "capture":
                    figures += capturing.measure(folder, given.rounds)
                case _:
                    figures += serving.measure(folder, given.rounds, given.count)
    print(table(figures))
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
