# SPDX-License-Identifier: Apache-2.0
"""All spans of a text, none over another."""

from collections.abc import Iterable

from dictamesh.runtime.scan.text.addresses import addresses
from dictamesh.runtime.scan.text.formatted import formatted
from dictamesh.runtime.scan.text.names import names, titles
from dictamesh.runtime.scan.text.organizations import organizations
from dictamesh.runtime.scan.text.places import places
from dictamesh.runtime.scan.text.span import Span

MOST = 5_000  # characters of a text that are read

_CHECKED = frozenset(("email", "url", "ip", "mac", "iban", "card", "national-id"))


def find(text: str) -> list[Span]:
    """The spans of a text in their order; where two overlap the surer stands, and then the longer."""
    cut = text[:MOST]
    found: list[Span] = []
    for spans in (formatted(cut), titles(cut), addresses(cut), organizations(cut), names(cut), places(cut)):
        found += spans
    return sorted(_apart(found))


def _apart(spans: Iterable[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.kind not in _CHECKED, -each.score, each.start - each.end, each)):
        if not any(span.overlaps(other) for other in kept):
            kept.append(span)
    return kept
