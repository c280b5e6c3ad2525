# SPDX-License-Identifier: Apache-2.0
"""A stretch of a text that is personal data, or says where or when it was."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

SpanKind: TypeAlias = Literal[
    "email",
    "url",
    "ip",
    "mac",
    "iban",
    "card",
    "national-id",
    "driver-licence",
    "passport",
    "phone",
    "date",
    "title",
    "name",
    "address",
    "location",
    "organization",
]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` to `end` of a text, and how sure the kind is (0 to 1)."""

    start: int
    end: int
    kind: SpanKind
    score: float

    def overlaps(self, other: "Span") -> bool:
        return self.start < other.end and other.start < self.end
