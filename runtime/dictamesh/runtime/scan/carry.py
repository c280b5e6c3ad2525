# SPDX-License-Identifier: Apache-2.0
"""What follows from proposals by the rules of carried sensitivity (S2), so that the patched specs are valid."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dictamesh.runtime.scan.evidence import Evidence
from dictamesh.runtime.scan.propose import Proposal, both
from dictamesh.runtime.scan.targets import Target, by_column
from dictamesh.specs.expressions.tree import columns
from dictamesh.specs.model.product import SourceColumnSpec
from dictamesh.specs.resolve.lookalikes import paths
from dictamesh.specs.resolve.sensitivity import Sensitivity, covers, join, rank
from dictamesh.specs.resolved import Field, ResolvedEntity


def carried(entity: ResolvedEntity, proposals: Iterable[Proposal]) -> list[Proposal]:
    """The proposals for an entity, and those for fields that read what the others tag.

    What has a note is not written, and nothing follows from it.
    """
    given = list(proposals)
    state = _State(entity, {_at(each.target): each for each in given if not each.note})
    while state.spread():
        pass
    return [*(each for each in given if each.note), *state.made.values()]


_At = tuple[str, str]


def _at(target: Target) -> _At:
    return "column" if target.what == "declared" else target.what, target.path


@dataclass(slots=True)
class _State:
    """The proposals so far; they only grow, so that spreading ends."""

    entity: ResolvedEntity
    made: dict[_At, Proposal]
    leaves: dict[str, list[tuple[str, Field]]] = field(init=False)

    def __post_init__(self) -> None:
        self.leaves = dict(by_column(self.entity))

    def spread(self) -> bool:
        """Add what is missing to whoever reads a column; return whether anything was."""
        before = {at: (each.tags, each.tier) for at, each in self.made.items()}
        for path, reader, read in self._readers():
            for column in read:
                for cause in self._carried(column):
                    self._give(path, reader, column, cause)
        for path, member in paths(self.entity.fields):
            self._raise(path, member)
        return before != {at: (each.tags, each.tier) for at, each in self.made.items()}

    def _readers(self) -> Iterator[tuple[str, Field, list[str]]]:
        """Every leaf and every computed field, with the columns that it reads."""
        for column, found in self.leaves.items():
            for path, leaf in found:
                yield path, leaf, [column]
        for name, each in self.entity.fields.items():
            if each.column is None:
                yield name, each, sorted({path[0].casefold() for path in columns(each.expr)})

    def _carried(self, column: str) -> Iterator[Proposal]:
        """The proposals for what shares a column."""
        for at in list(self._sharing(column)):
            if at in self.made:
                yield self.made[at]

    def _sharing(self, column: str) -> Iterator[_At]:
        for other, found in self.leaves.items():
            if _overlap(column, other):
                yield from (("field", part) for path, _ in found for part in _around(path))
        for name, spec in self.entity.binding.columns.items():
            if not _overlap(column, name.casefold()):
                continue
            if isinstance(spec, SourceColumnSpec):
                yield "column", name
            else:
                yield from (("field", each.name) for each in self._computed_from(name.casefold()))

    def _computed_from(self, column: str) -> Iterator[Field]:
        for each in self.entity.fields.values():
            if each.column is None and column in {path[0].casefold() for path in columns(each.expr)}:
                yield each

    def _raise(self, path: str, member: Field) -> None:
        """A member that says a tier of its own says none below that of the objects around it."""
        said = member.model.classification
        for part in [*_around(path)][:-1]:
            cause, own = self.made.get(("field", part)), self.made.get(("field", path))
            if cause is None or said is None or max(rank(said), rank(own.tier) if own else 0) >= rank(cause.tier):
                continue
            target = Target(self.entity.address, "field", path, member.site, member.column)
            evidence = (Evidence("inherited", {"object": part}),)
            more = Proposal(target, (), cause.tier, cause.confidence, evidence, ())
            self.made["field", path] = both(own, more) if own else more

    def _give(self, path: str, reader: Field, column: str, cause: Proposal) -> None:
        at = ("field", path)
        own = [Sensitivity(reader.tier, frozenset(reader.tags))]
        made = (self.made.get(("field", part)) for part in _around(path))
        own += [Sensitivity(each.tier, frozenset(each.tags)) for each in made if each is not None]
        mine = join(own)
        missing = tuple(sorted(tag for tag in cause.tags if not any(covers(tag, each) for each in mine.tags)))
        if not missing and mine.rank >= rank(cause.tier):
            return
        target = Target(self.entity.address, "field", path, reader.site, column)
        evidence = (Evidence("carried", {"column": column}),)
        more = Proposal(target, missing, cause.tier, cause.confidence, evidence, ())
        self.made[at] = both(self.made[at], more) if at in self.made else more


def _overlap(path: str, other: str) -> bool:
    return path == other or other.startswith(path + ".") or path.startswith(other + ".")


def _around(path: str) -> Iterator[str]:
    """A path, and those of the objects around it."""
    parts = path.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))
