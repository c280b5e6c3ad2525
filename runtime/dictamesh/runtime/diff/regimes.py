# SPDX-License-Identifier: Apache-2.0
"""Which regimes a change touches: those of the data that it is about, before or after (GV-12). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from dictamesh.runtime.compile.plan import FieldPlan, Plan
from dictamesh.runtime.diff.change import Change


@dataclass(frozen=True)
class Touched:
    """What the data of two plans falls under."""

    old: Plan
    new: Plan

    def by(self, change: Change) -> tuple[str, ...]:
        """Return the regimes that a change touches, by name."""
        return tuple(sorted({name for at in self._about(change) for name in self.at(at)}))

    def at(self, address: str) -> tuple[str, ...]:
        """Return the regimes of a product, an entity or a field."""
        return tuple(sorted({name for plan in (self.old, self.new) for name in plan.regimes.get(address, ())}))

    def _about(self, change: Change) -> Iterator[str]:
        """Addresses that a change is about: its own, else the fields that its document governs."""
        kind, _, name = (change.document or "").partition("/")
        if "#" in change.address:
            yield from filter(None, [self._known(change.address)])
        elif kind == "Policy":
            yield from self._governed.get(name, ())
        elif kind == "Taxonomy" and len(change.path) > 1 and change.path[0] == "tags":
            yield from self._tagged(change.path[1])
        elif kind == "DataProduct":
            yield name
        elif change.address in self._addresses:
            yield change.address

    def _known(self, address: str) -> str | None:
        """The address itself, or the nearest above it that either plan knows."""
        at = address
        while at:
            if at in self._addresses:
                return at
            at = at.rpartition("." if "." in at.partition("#")[2] else "#")[0]
        return None

    @cached_property
    def _addresses(self) -> frozenset[str]:
        return frozenset(at for plan in (self.old, self.new) for at in (*plan.products, *plan.entities, *plan.regimes))

    @cached_property
    def _governed(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for plan in (self.old, self.new):
            for table in (plan.rules.fields, plan.rules.rows):
                for address, bound in table.items():
                    for each in bound:
                        found.setdefault(each.policy, set()).add(address)
        return found

    def _tagged(self, tag: str) -> Iterator[str]:
        for plan in (self.old, self.new):
            for entity in plan.entities.values():
                for field in _every(entity.fields):
                    if any(each == tag or each.startswith(f"{tag}.") for each in field.tags):
                        yield field.address


def _every(fields: Iterable[FieldPlan]) -> Iterator[FieldPlan]:
    for field in fields:
        yield field
        yield from _every(field.members)
