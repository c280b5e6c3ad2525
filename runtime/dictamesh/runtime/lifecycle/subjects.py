# SPDX-License-Identifier: Apache-2.0
"""A data subject, and the fields of all products that hold its id (GV-12). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dictamesh.runtime.adapters.keys import canonical
from dictamesh.runtime.compile.plan import EntityPlan, FieldPlan, LinkPlan, Plan
from dictamesh.runtime.governance.subjects import subject_token
from dictamesh.runtime.governance.typed import Misfit, typed
from dictamesh.specs.suggest import suggest

LONGEST_ID = 1024


class UnknownSubject(ValueError):  # noqa: N818 - the name says what is the case
    """No product declares the kind, or the id does not fit its type; the text does not repeat the id."""


@dataclass(frozen=True, slots=True)
class Place:
    """A field that holds ids of a kind of data subject."""

    entity: EntityPlan
    field: FieldPlan

    @property
    def is_key(self) -> bool:
        """Whether the record with that key is the subject itself."""
        return self.entity.key == (self.field.name,)

    def links_to(self, other: "Place") -> list[LinkPlan]:
        """Return the relations that lead over this field to the key of another place."""
        return [
            link
            for link in self.entity.links
            if other.is_key and link.target == other.entity.address and link.own == (self.field.name,) and link.by_key
        ]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an erasure is about. `text` is the canonical text of the id: it stays in memory."""

    kind: str
    text: str = field(repr=False)
    places: tuple[Place, ...]

    def token(self, key: bytes) -> str:
        """Return the token that stands for the subject wherever something is kept."""
        return subject_token(key, self.kind, self.text)

    def value(self, place: Place) -> Any:
        """Return the id as a value of a place's field."""
        return typed(self.text, place.field.type)


def subject(plan: Plan, kind: str, written: str) -> Subject:
    """Return the subject of a kind with an id as it is written; raises UnknownSubject."""
    places = places_of(plan).get(kind, ())
    if not places:
        near = suggest(kind, places_of(plan))
        known = ", ".join(places_of(plan)) or "none"
        raise UnknownSubject(
            f"no product declares data subjects of kind '{kind}'; "
            + (f"did you mean '{near}'?" if near else f"declared under 'subjects' are: {known}")
        )
    if not 0 < len(written) <= LONGEST_ID:
        raise UnknownSubject(f"the id of a data subject has 1 to {LONGEST_ID} characters")
    first = places[0].field
    try:
        text = canonical((typed(written, first.type),))
    except Misfit:
        raise UnknownSubject(f"the id does not fit {first.address}, which is {first.type}") from None
    return Subject(kind, text, places)


def places_of(plan: Plan) -> Mapping[str, tuple[Place, ...]]:
    """Return the places of every kind that a plan declares, in order of kind and address."""
    found: dict[str, dict[str, Place]] = {}
    for product in plan.products.values():
        for kind, addresses in product.subjects.items():
            for address in addresses:
                entity, _, name = address.rpartition(".")
                found.setdefault(kind, {})[address] = Place(plan.entities[entity], plan.entities[entity].field(name))
    return {kind: tuple(places[address] for address in sorted(places)) for kind, places in sorted(found.items())}
