# SPDX-License-Identifier: Apache-2.0
"""Formats of files, and which ending means which."""

from typing import Literal

Format = Literal["csv", "json", "jsonl", "parquet"]

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def format_of(name: str) -> Format | None:
    """Tell the format by the ending of a file's name, packed (`.gz`) or not; None where it says nothing."""
    plain = name.lower().removesuffix(".gz")
    return next((format_ for ending, format_ in _ENDINGS.items() if plain.endswith(ending)), None)
