# SPDX-License-Identifier: Apache-2.0
"""What columns of free text hold here and there."""

from collections import Counter
from collections.abc import Iterator, Mapping

from dictamesh.runtime.scan.column import Column
from dictamesh.runtime.scan.evidence import Evidence, Verdict
from dictamesh.runtime.scan.text import SpanKind, find
from dictamesh.specs.pii import KindName

_FEWEST = 3  # texts with a span of a kind

# By kind: the share of texts from which it is told, and the confidence then. What has no check needs more of both.
_TOLD: Mapping[SpanKind, tuple[KindName, float, float]] = {
    "email": ("email", 0.01, 0.9),
    "phone": ("phone", 0.02, 0.8),
    "iban": ("iban", 0.01, 0.9),
    "card": ("card", 0.01, 0.85),
    "national-id": ("national-id", 0.01, 0.75),
    "passport": ("passport", 0.02, 0.7),
    "driver-licence": ("driver-licence", 0.02, 0.7),
    "ip": ("ip", 0.02, 0.8),
    "mac": ("mac", 0.02, 0.8),
    "address": ("address", 0.1, 0.6),
    "name": ("name", 0.2, 0.6),
}


def judge_prose(column: Column) -> Iterator[Verdict]:
    """The kinds that enough texts of a column hold."""
    texts = column.sentences
    holding: Counter[SpanKind] = Counter(kind for text in texts for kind in {span.kind for span in find(text)})
    for span_kind, (kind, least, confidence) in _TOLD.items():
        count = holding[span_kind]
        if count >= _FEWEST and count >= least * len(texts):
            facts = {"format": kind, "share": round(count / len(texts), 3), "checked": len(texts)}
            yield Verdict(kind, None, confidence, (Evidence("text", facts),))
