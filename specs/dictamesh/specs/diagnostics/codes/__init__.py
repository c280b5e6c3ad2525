# SPDX-License-Identifier: Apache-2.0
"""The table of diagnostic codes: one module per group of a hundred, merged here.

A code is never reused for another meaning. To add one, add a row to the tuple of its group.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from dictamesh.specs.diagnostics.codes import (
    expressions,
    names,
    notes,
    policies,
    reading,
    references,
    running,
    secrets,
    shape,
    sources,
)
from dictamesh.specs.diagnostics.codes.code import Code, Severity

__all__ = ["CODES", "GROUPS", "Code", "Severity"]

GROUPS: Mapping[str, tuple[Code, ...]] = MappingProxyType(
    {
        "DM0": reading.CODES,
        "DM1": shape.CODES,
        "DM2": references.CODES,
        "DM3": expressions.CODES,
        "DM4": policies.CODES,
        "DM5": sources.CODES,
        "DM6": names.CODES,
        "DM7": secrets.CODES,
        "DM8": notes.CODES,
        "DM9": running.CODES,
    }
)


def _merged(groups: Mapping[str, Iterable[Code]]) -> Mapping[str, Code]:
    table: dict[str, Code] = {}
    for prefix, rows in groups.items():
        for row in rows:
            if not row.code.startswith(prefix):
                raise ValueError(f"{row.code} stands in the table of {prefix}xx")
            if row.code in table:
                raise ValueError(f"{row.code} is declared twice")
            table[row.code] = row
    return MappingProxyType(table)


CODES: Mapping[str, Code] = _merged(GROUPS)
