# SPDX-License-Identifier: Apache-2.0
"""From verdicts to proposals: a tag of the mesh's own taxonomy, and a tier that only rises."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from dictamesh.runtime.scan.columns import columns_of, regions_of
from dictamesh.runtime.scan.evidence import Evidence, Verdict, unique
from dictamesh.runtime.scan.judge import Detection, judge
from dictamesh.runtime.scan.sampling import Sample
from dictamesh.runtime.scan.targets import Subject, Target, readers, subjects
from dictamesh.specs.model.product import SourceColumnSpec
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.pii import KINDS, new_tag, of_people
from dictamesh.specs.resolve.lookalikes import can_hold, excluded, looks_like_pii
from dictamesh.specs.resolve.sensitivity import Vocabulary, rank
from dictamesh.specs.resolved import Field, ResolvedEntity

OWN_TIER = "confidential"  # of a tag that names or patterns of the taxonomy tell


@dataclass(frozen=True, slots=True)
class Proposal:
    """Tags to add to a target, and the tier it should have at least.

    `kinds` are what it was taken for: kinds of personal data, or tags where the taxonomy itself told. `note` says why
    the patch leaves it out.
    """

    target: Target
    tags: tuple[str, ...]
    tier: str
    confidence: float
    evidence: tuple[Evidence, ...]
    kinds: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A name of personal data whose values look otherwise: for `notPersonal`, or for a second look."""

    target: Target
    title: str


@dataclass(slots=True)
class Proposals:
    """What the scan of one entity came to. `new_tags` are tags that the taxonomy lacks, with the kind each is for."""

    found: list[Proposal] = field(default_factory=list)
    dismissed: list[Dismissed] = field(default_factory=list)
    new_tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposer:
    """Proposes for the entities of one mesh."""

    words: Vocabulary
    detection: Detection
    today: date

    def propose(self, entity: ResolvedEntity, sample: Sample) -> Proposals:
        """What is proposed for an entity by its own names and values."""
        made = Proposals()
        regions = regions_of(sample.fields)
        people = of_people(entity.model.name) or of_people(entity.source.physical_name)
        for subject in subjects(entity, sample, self.words):
            verdicts = self._verdicts(subject, people=people, regions=regions)
            if verdicts:
                proposal = self._proposal(made, subject.target, verdicts)
                made.found += [_noted(each, entity) for each in _passed_on(proposal, entity)]
            elif (found := self._looks(subject)) is not None:
                made.dismissed.append(Dismissed(subject.target, found))
        made.found = _merged(made.found)
        return made

    def _verdicts(self, subject: Subject, *, people: bool, regions: tuple[str, ...]) -> list[Verdict]:
        """The verdicts over a subject under the name that tells more."""
        best: list[Verdict] = []
        for name in subject.names:
            found = [
                verdict
                for column in columns_of(name, subject.values.of, of_people=people, regions=regions)
                for verdict in judge(column, self.detection, self.today)
                if (verdict.tag not in subject.tags if verdict.kind is None else can_hold(verdict.kind, subject.type))
            ]
            best = max(best, found, key=lambda each: max((verdict.confidence for verdict in each), default=0.0))
        return best

    def _looks(self, subject: Subject) -> str | None:
        """What its name alone would have told."""
        for name in subject.names:
            found = looks_like_pii(name, self.words)
            if found is not None and can_hold(found.kind, subject.type):
                return found.title
        return None

    def _proposal(self, made: Proposals, target: Target, verdicts: Iterable[Verdict]) -> Proposal:
        tags: dict[str, None] = {}
        tier = 0
        for verdict in verdicts:
            tags[self._tag(made, verdict)] = None
            tier = max(tier, rank(OWN_TIER if verdict.kind is None else KINDS[verdict.kind].tier))
        return Proposal(
            target,
            tuple(tags),
            TIERS[tier],
            max(each.confidence for each in verdicts),
            unique(evidence for each in verdicts for evidence in each.evidence),
            tuple(dict.fromkeys(each.kind or each.tag or "" for each in verdicts)),
        )

    def _tag(self, made: Proposals, verdict: Verdict) -> str:
        if verdict.kind is None:
            return verdict.tag or ""
        found = self.words.choice.tag(verdict.kind, verdict.words)
        if found is None:
            found = new_tag(verdict.kind)
            made.new_tags[found] = verdict.kind
        return found


def _passed_on(proposal: Proposal, entity: ResolvedEntity) -> list[Proposal]:
    """A column that is declared in short has the tags of its readers (S2), so that these are where they are written."""
    target = proposal.target
    if target.what != "declared" or isinstance(entity.binding.columns[target.path], SourceColumnSpec):
        return [proposal]
    quiet = excluded(entity.product, entity.model.name)
    read = readers(entity).get(target.path.casefold(), [])
    fields = [each for each in read if not each.pii and each.name not in quiet]
    return [_for_field(proposal, each, entity) for each in fields] if read else [proposal]


def _for_field(proposal: Proposal, reader: Field, entity: ResolvedEntity) -> Proposal:
    target = Target(entity.address, "field", reader.name, reader.site, proposal.target.column)
    return replace(proposal, target=target)


def _noted(proposal: Proposal, entity: ResolvedEntity) -> Proposal:
    """Say where a key stands in the way: it needs a decision that no scan can take (S6)."""
    target, binding = proposal.target, entity.binding
    is_key = target.what == "field" and target.path in entity.key
    if not is_key or binding.surrogate is not None or (binding.allow_pii_key or "").strip():
        return proposal
    note = f"it is a key: add 'surrogate' or 'allowPiiKey' under source.{entity.model.name} with it"
    return replace(proposal, note=note)


def _merged(found: Iterable[Proposal]) -> list[Proposal]:
    """One proposal for each target."""
    by_target: dict[tuple[str, str], Proposal] = {}
    for each in found:
        at = (each.target.what, each.target.path)
        by_target[at] = both(by_target[at], each) if at in by_target else each
    return list(by_target.values())


def both(one: Proposal, other: Proposal) -> Proposal:
    """Two proposals for one target as one."""
    return Proposal(
        one.target if one.target.column is not None or other.target.column is None else other.target,
        tuple(dict.fromkeys([*one.tags, *other.tags])),
        TIERS[max(rank(one.tier), rank(other.tier))],
        max(one.confidence, other.confidence),
        unique([*one.evidence, *other.evidence]),
        tuple(dict.fromkeys([*one.kinds, *other.kinds])),
        one.note or other.note,
    )
