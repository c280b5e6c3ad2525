# SPDX-License-Identifier: Apache-2.0
"""Erased subjects leave the cache of a process; the ledger has tokens only, so cached rows are asked for theirs."""

from collections.abc import Callable, Collection
from typing import Any

from dictamesh.runtime.adapters.cells import CellError, Row
from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.subjects import subject_token
from dictamesh.runtime.lifecycle.subjects import Place, places_of
from dictamesh.runtime.resilience import L1, namespace


def drop_erased(l1: L1, plan: Plan, key: bytes, erased: Collection[tuple[str, str]]) -> int:
    """Drop the cached rows that hold one of the subjects `erased` (kind, token), and return how many."""
    tokens: dict[str, set[str]] = {}
    for kind, token in erased:
        tokens.setdefault(kind, set()).add(token)
    return sum(
        l1.delete_prefix(namespace(plan.name, place.entity.name), _of(place, kind, key, tokens[kind]))
        for kind, places in places_of(plan).items()
        if kind in tokens
        for place in places
    )


def _of(place: Place, kind: str, key: bytes, tokens: set[str]) -> Callable[[Any], bool]:
    def holds(row: Row) -> bool:
        value = row.get(place.field.name)
        if value is None or isinstance(value, CellError):
            return False
        return subject_token(key, kind, canonical((value,))) in tokens

    return holds
