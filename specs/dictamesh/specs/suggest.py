# SPDX-License-Identifier: Apache-2.0
"""Suggestions for mistyped words."""

from collections.abc import Iterable


def suggest(word: str, known: Iterable[str]) -> str | None:
    """Return the name in `known` that is closest to `word`, or None when nothing is close enough to be meant.

    Close enough is an edit distance of at most 40 % of the longer word (at least 1); letter case costs nothing but
    decides ties, then the order of `known` does.
    """
    best: tuple[int, int] | None = None
    found = None
    for name in known:
        longest = max(len(word), len(name))
        limit = max(1, longest * 2 // 5)
        distance = _distance(word.casefold(), name.casefold(), limit)
        if distance is None or (distance >= longest and distance):
            continue
        rank = (distance, sum(a != b for a, b in zip(word, name, strict=False)))
        if best is None or rank < best:
            best, found = rank, name
    return found


def _distance(a: str, b: str, limit: int) -> int | None:
    """Return the optimal string alignment distance of `a` and `b`, or None when it exceeds `limit`."""
    if abs(len(a) - len(b)) > limit:
        return None
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
