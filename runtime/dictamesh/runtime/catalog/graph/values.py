# SPDX-License-Identifier: Apache-2.0
"""What is known of records and of relations between them, as events, queries and runs tell it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from dictamesh.runtime.catalog.rows import Cardinality

Provenance = Literal["inferred", "observed", "declared"]
"""How a thing is known, the surest way last: guessed, seen in a source or an event, written in a spec."""

TYPE = "*"
"""The id that stands for the type itself."""
LONGEST_ID = 1024
"""Characters of a record's id; a record with a longer one is not kept."""


class Ref(NamedTuple):
    """A record by its type and its canonical key (S6), or a type by the id ``*``."""

    entity_type: str
    id: str


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record that exists at the instant ``at``."""

    ref: Ref
    at: datetime
    provenance: Provenance = "observed"


@dataclass(frozen=True, slots=True)
class SeenEdge:
    """A relation that holds at the instant ``at``, in the direction in which its spec declares it.

    ``cardinality`` counts only where no spec has declared the relation; ``confidence`` is between 0 and 1; ``origin``
    is the id of the event or run that told it.
    """

    subject: Ref
    relation: str
    object: Ref
    at: datetime
    provenance: Provenance = "observed"
    confidence: float = 1.0
    origin: str | None = None
    cardinality: Cardinality = "many-to-many"


@dataclass(frozen=True, slots=True)
class Ending:
    """Relations that hold no longer from ``at`` on.

    Those of the name ``relation`` from ``subject``, to ``object`` where one is given; without ``relation`` all that
    the record has in either direction.
    """

    subject: Ref
    at: datetime
    relation: str | None = None
    object: Ref | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch changed.

    ``created`` are relations that did not hold before (GL-8), ``ended`` counts those that a newer one replaced,
    ``skipped`` what cannot be kept: of a type that the catalog does not know, of a record that was archived later, or
    with an id that is empty, ``*``, longer than 1,024 characters or no text for PostgreSQL.
    """

    created: tuple[SeenEdge, ...] = ()
    touched: int = 0
    ended: int = 0
    skipped: int = 0


def keepable(ref: Ref) -> bool:
    """Whether a record's id can be kept."""
    text = ref.id
    if not 0 < len(text) <= LONGEST_ID or text == TYPE or "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
