# SPDX-License-Identifier: Apache-2.0
"""The whole scan: samples in, findings and patched texts out. Values go no further than the checks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from dictamesh.runtime.scan.amend import Unwritable, column_edits, field_edits, tag_edits
from dictamesh.runtime.scan.carry import carried
from dictamesh.runtime.scan.judge import Detection
from dictamesh.runtime.scan.objects import lifted
from dictamesh.runtime.scan.propose import Dismissed, Proposal, Proposals, Proposer
from dictamesh.runtime.scan.sampling import Sample
from dictamesh.specs.documents import Document
from dictamesh.specs.documents.edits import Edit, applied
from dictamesh.specs.model import Taxonomy
from dictamesh.specs.pii import compile_pattern
from dictamesh.specs.resolve.lookalikes import paths
from dictamesh.specs.resolve.sensitivity import rank, vocabulary
from dictamesh.specs.resolved import ResolvedEntity, Specs

Check = Callable[[Mapping[str, str]], bool]
"""Whether the tree is valid with other texts in the place of some files."""

INVALID = "with it the specs would not be valid: a policy, a test or a relation does not fit; tag it by hand"


@dataclass(frozen=True, slots=True)
class Tree:
    """The specs that are scanned, with their documents."""

    specs: Specs
    documents: tuple[Document, ...]

    def of_kind(self, kind: str) -> Document | None:
        return next((each for each in self.documents if each.kind == kind), None)

    def text(self, file: str) -> str:
        return next(each.source.text for each in self.documents if each.file == file)


@dataclass(frozen=True, slots=True)
class Result:
    """What was found; `texts` are the files that the patch changes, before and after."""

    findings: tuple[Proposal, ...]
    dismissed: tuple[Dismissed, ...]
    texts: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Group:
    """The proposals for one entity with their edits; `found` are those that nothing else brought about."""

    entity: ResolvedEntity
    found: Proposals
    proposals: tuple[Proposal, ...]
    edits: tuple[Edit, ...]


def conclude(tree: Tree, samples: Mapping[str, Sample], today: date, check: Check) -> Result:
    """Judge the samples and make the patch; what `check` does not accept is left out of it with a note."""
    proposer = Proposer(vocabulary(tree.specs.taxonomy, "", complete=True), detection(tree.specs.taxonomy), today)
    groups: list[_Group] = []
    dismissed: list[Dismissed] = []
    for address, sample in samples.items():
        entity = tree.specs.entities[address]
        found = proposer.propose(entity, sample)
        groups.append(_group(entity, found))
        dismissed += found.dismissed
    kept = _accepted(tree, groups, check)
    findings = [each for group in kept for each in group.proposals]
    return Result(tuple(findings), tuple(dismissed), _texts(tree, kept))


def detection(taxonomy: Taxonomy) -> Detection:
    """What a taxonomy adds to the detectors."""
    words = vocabulary(taxonomy, "", complete=True)
    patterns = {name: tuple(map(compile_pattern, tag.patterns)) for name, tag in taxonomy.tags.items() if tag.patterns}
    return Detection(words.names, patterns)


def _group(entity: ResolvedEntity, found: Proposals) -> _Group:
    proposals: list[Proposal] = []
    edits: list[Edit] = []
    made = carried(entity, lifted(entity, found.found))
    for each in made:
        try:
            edits += [] if each.note else _edits(entity, each, _floor(each, made))
            proposals.append(each)
        except Unwritable as reason:
            proposals.append(replace(each, note=f"edit it by hand: {reason}"))
    live = [each for each in proposals if each.target.what == "live"]
    try:
        edits += column_edits(entity, live) if live else []
    except Unwritable as reason:
        told = f"edit it by hand: {reason}"
        proposals = [replace(each, note=told) if each in live else each for each in proposals]
    return _Group(entity, found, tuple(proposals), tuple(edits))


def _floor(proposal: Proposal, others: Iterable[Proposal]) -> int:
    """The rank of the tier that a member inherits from the objects around it once they are written."""
    target = proposal.target
    around = [each for each in others if not each.note and each.target.what == target.what == "field"]
    return max((rank(each.tier) for each in around if target.path.startswith(f"{each.target.path}.")), default=0)


def _edits(entity: ResolvedEntity, proposal: Proposal, floor: int) -> list[Edit]:
    """The edits of one proposal; live columns are written together."""
    if proposal.target.what == "field":
        return field_edits(proposal, dict(paths(entity.fields))[proposal.target.path], floor)
    return column_edits(entity, [proposal]) if proposal.target.what == "declared" else []


def _accepted(tree: Tree, groups: list[_Group], check: Check) -> list[_Group]:
    """The groups, those that make the tree invalid without their edits.

    Halves are tried until the culprits are found: few of many groups cost few checks.
    """
    if _valid(tree, groups, check):
        return groups
    if len(groups) == 1:
        return [_piecemeal(tree, groups[0], check)]
    middle = len(groups) // 2
    kept = [*_accepted(tree, groups[:middle], check), *_accepted(tree, groups[middle:], check)]
    return kept if _valid(tree, kept, check) else [_unwritten(group) for group in groups]


def _piecemeal(tree: Tree, group: _Group, check: Check) -> _Group:
    """As many of the proposals of a group as are valid together, each with all that follows from it."""
    kept = replace(group, proposals=(), edits=())
    refused: list[Proposal] = []
    taken: list[Proposal] = []
    for each in group.found.found:
        tried = _group(group.entity, replace(group.found, found=[*taken, each]))
        if _valid(tree, [tried], check):
            taken.append(each)
            kept = tried
        else:
            refused.append(replace(each, note=each.note or INVALID))
    return replace(kept, proposals=(*kept.proposals, *refused))


def _valid(tree: Tree, groups: Iterable[_Group], check: Check) -> bool:
    after = {file: texts[1] for file, texts in _texts(tree, groups).items()}
    return not after or check(after)


def _unwritten(group: _Group) -> _Group:
    proposals = tuple(replace(each, note=each.note or INVALID) for each in group.proposals)
    return replace(group, proposals=proposals, edits=())


def _texts(tree: Tree, groups: Iterable[_Group]) -> dict[str, tuple[str, str]]:
    """The files that groups change, before and after."""
    by_file: dict[str, list[Edit]] = {}
    tags: dict[str, str] = {}
    for group in groups:
        for edit in group.edits:
            by_file.setdefault(edit.file, []).append(edit)
        used = {tag for each in group.proposals if not each.note for tag in each.tags}
        tags |= {tag: kind for tag, kind in group.found.new_tags.items() if tag in used}
    mesh = tree.of_kind("Mesh")
    if mesh is not None:
        for edit in tag_edits(tree.of_kind("Taxonomy"), mesh, tags):
            by_file.setdefault(edit.file, []).append(edit)
    return {file: (text := tree.text(file), applied(text, edits)) for file, edits in sorted(by_file.items())}
