# SPDX-License-Identifier: Apache-2.0
"""What `scan` prints: findings with their evidence, the patch, and what was read. No value of a source is in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.runtime.scan.propose import Dismissed, Proposal
from dictamesh.runtime.scan.sampling import Sample
from dictamesh.runtime.scan.scan import Result
from dictamesh.specs.documents.patch import unified


def as_json(result: Result, samples: Mapping[str, Sample]) -> dict[str, Any]:
    """The document of `--format json`."""
    return {
        "findings": [_finding(each) for each in result.findings],
        "patch": unified(result.texts),
        "sampled": {address: _sampled(each) for address, each in samples.items()},
        "dismissed": [{**_place(each), "looksLike": each.title} for each in result.dismissed],
    }


def _finding(proposal: Proposal) -> dict[str, Any]:
    return {
        **_place(proposal),
        "proposed": {"tags": list(proposal.tags), "classification": proposal.tier},
        "kinds": list(proposal.kinds),
        "confidence": proposal.confidence,
        "evidence": [each.to_json() for each in proposal.evidence],
        "patched": not proposal.note,
        "note": proposal.note or None,
    }


def _place(of: Proposal | Dismissed) -> dict[str, Any]:
    span = of.target.site.span
    return {"address": of.target.address, "column": of.target.column, "file": span.file, "line": span.line}


def _sampled(sample: Sample) -> dict[str, Any]:
    return {
        "rows": sample.rows,
        "fields": len(sample.fields),
        "columns": len(sample.columns),
        "failed": sample.failed,
    }


def as_text(result: Result, samples: Mapping[str, Sample]) -> Iterator[str]:
    """The lines of `--format text`, the patch last, so that `git apply` takes the whole."""
    for each in result.findings:
        yield from _told(each)
    for dismissed in result.dismissed:
        at = dismissed.target.site.span
        yield f"{_name(dismissed)} ({at.file}:{at.line}): named like {dismissed.title}, and the values are none"
    if result.dismissed:
        yield "  = Say under 'notPersonal' of the product why they are none, and the warning of validate goes, too."
        yield ""
    for address, sample in samples.items():
        if sample.failed is not None:
            yield f"{address}: not read ({sample.failed}); judged by names alone"
    rows = sum(each.rows for each in samples.values())
    left = sum(bool(each.note) for each in result.findings)
    told = _many(len(result.findings), "finding") if result.findings else "no findings"
    more = f", {left} of them not in the patch" if left else ""
    yield f"{_many(len(samples), 'entity', 'entities')}, {_many(rows, 'row')}: {told}{more}"
    if result.texts:
        yield ""
        yield unified(result.texts).rstrip("\n")


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _name(of: Proposal | Dismissed) -> str:
    target = of.target
    return target.address if target.what == "field" else f"{target.address}, column '{target.path}'"


def _told(proposal: Proposal) -> Iterator[str]:
    at = proposal.target.site.span
    what = ", ".join([*proposal.tags, proposal.tier])
    yield f"{_name(proposal)} ({at.file}:{at.line}): {what}; confidence {proposal.confidence:.2f}"
    for evidence in proposal.evidence:
        yield f"  - {evidence}"
    if proposal.note:
        yield f"  = Not in the patch: {proposal.note}."
    yield ""
