# SPDX-License-Identifier: Apache-2.0
"""An object that is called what its members are: the tag belongs to the object, and covers all its members."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dictamesh.runtime.scan.evidence import Evidence, unique
from dictamesh.runtime.scan.propose import Proposal
from dictamesh.runtime.scan.targets import Target
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.pii import Strength, hints
from dictamesh.specs.resolve.lookalikes import excluded
from dictamesh.specs.resolve.sensitivity import rank
from dictamesh.specs.resolved import Field, ResolvedEntity


def lifted(entity: ResolvedEntity, found: Iterable[Proposal]) -> list[Proposal]:
    """The proposals, those for members of an object of the same kind put together into one for the object."""
    proposals = list(found)
    quiet = excluded(entity.product, entity.model.name)
    for path, each in _objects(entity.fields):
        if path not in quiet and not each.pii:
            proposals = _lift(entity, path, each, proposals)
    return proposals


def _objects(fields: Mapping[str, Field], above: str = "") -> Iterator[tuple[str, Field]]:
    for name, each in fields.items():
        if each.members:
            yield above + name, each
            yield from _objects({member.name: member for member in each.members}, f"{above}{name}.")


def _lift(entity: ResolvedEntity, path: str, found: Field, proposals: list[Proposal]) -> list[Proposal]:
    kinds = {hint.kind for hint in hints(found.name) if hint.strength > Strength.WEAK and not hint.negative}
    same = [each for each in proposals if _below(each, path) and len(each.kinds) == 1 and each.kinds[0] in kinds]
    if not same:
        return proposals
    target = Target(entity.address, "field", path, found.site, found.column)
    named = Evidence("name", {"name": f"'{found.name}'", "strength": "likely"})
    evidence = unique([named, *(reason for each in same for reason in each.evidence)])
    made = replace(
        same[0],
        target=target,
        tags=tuple(dict.fromkeys(tag for each in same for tag in each.tags)),
        tier=TIERS[max(rank(each.tier) for each in same)],
        confidence=max(each.confidence for each in same),
        evidence=evidence,
    )
    at = proposals.index(same[0])
    others = [each for each in proposals if each not in same]
    return [*others[:at], made, *others[at:]]


def _below(proposal: Proposal, path: str) -> bool:
    return proposal.target.what == "field" and proposal.target.path.startswith(f"{path}.")
