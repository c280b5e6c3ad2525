# SPDX-License-Identifier: Apache-2.0
"""Quality rules of an entity: what each measures, or why it is not run. A faulty rule is a warning, never an error."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dictamesh.specs.cron import schedule
from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.manifest import Manifest, Source
from dictamesh.specs.model import Quality
from dictamesh.specs.quality import METRICS, Check, QualityRule
from dictamesh.specs.resolve.quality_rules import Ground, NotRun, Place, library
from dictamesh.specs.resolve.quality_sql import sql
from dictamesh.specs.resolve.scopes import inside
from dictamesh.specs.resolved import Field
from dictamesh.specs.types import Kind

SEVERITIES = ("error", "warning", "info")


@dataclass(slots=True)
class _Names:
    taken: set[str] = field(default_factory=set)

    def take(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted} ({count})"
        self.taken.add(name)
        return name


def resolve_quality(
    rules: Iterable[Quality],
    site: Site,
    fields: Mapping[str, Field],
    source: Source,
    manifest: Manifest,
    findings: Findings,
) -> tuple[QualityRule, ...]:
    """Return the rules of an entity, whose own stand at `site`, and of its fields, in that order."""
    entity = Ground(source.address.partition("#")[2], fields, source, manifest, manifest.capabilities(source).list)
    names = _Names()
    return tuple(_resolved(place, entity, names, findings) for place in _places(rules, site, fields))


def _places(rules: Iterable[Quality], site: Site, fields: Mapping[str, Field]) -> Iterator[Place]:
    for index, rule in enumerate(rules):
        yield Place(rule, site / "quality" / index)
    for each in fields.values():
        yield from _of_field(each, (each.name,))


def _of_field(each: Field, path: tuple[str, ...], through: tuple[bool, ...] = ()) -> Iterator[Place]:
    for index, rule in enumerate(each.model.quality):
        yield Place(rule, each.site / "quality" / index, path, (*through, False), each, each.type)
    inner, site, kind = each.model.items, each.site, each.type
    while inner is not None and kind.item is not None:
        site, kind = site / "items", kind.item
        for index, rule in enumerate(inner.quality):
            yield Place(rule, site / "quality" / index, path, (*through, True), each, kind)
        inner = inner.items
    for member in each.members:
        yield from _of_field(member, (*path, member.name), (*through, each.type.kind is Kind.ARRAY))


def _resolved(place: Place, entity: Ground, names: _Names, findings: Findings) -> QualityRule:
    rule = place.rule
    made = QualityRule(
        name=names.take(_name(place)),
        check=Check.TEXT if rule.type == "text" else Check.CUSTOM if rule.type == "custom" else Check.ROWS,
        path=place.path,
        through=place.through,
        severity=_severity(rule),
        dimension=_printable(rule.dimension) if rule.dimension else None,
        description=rule.description or "",
        schedule=_schedule(place, findings),
    )
    if rule.type in {"text", "custom"}:
        told = "words for people are not run" if rule.type == "text" else "a rule of another engine is not run"
        return replace(made, reason=told)
    try:
        return _checked(made, place, entity)
    except NotRun as why:
        at: Any = place.site
        for step in why.path:
            at = at / step
        if not at.exists:
            at = place.site
        if why.part is not None:
            at = inside(at, *why.part)
        if not any(each.span == at.span for each in findings):  # the same fault may have been found as one of the type
            findings.warning("DM129", at, f"this quality rule is not run: {why.reason}", why.hint)
        return replace(made, check=_check_of(rule), reason=why.reason)


def _name(place: Place) -> str:
    rule = place.rule
    steps = (f"{name}[]" if through else name for name, through in zip(place.path, place.through, strict=True))
    return _printable(rule.name or rule.id or ".".join((*steps, rule.metric or rule.rule or rule.type)))


def _printable(text: str) -> str:
    """A text of a spec as reports, metrics and the catalog can hold it."""
    return "".join(each if each.isprintable() else "?" for each in text[:200])


def _severity(rule: Quality) -> str:
    word = (rule.severity or "").strip().lower()
    return word if word in SEVERITIES else "error"


def _schedule(place: Place, findings: Findings) -> str | None:
    """The cron line of a rule that some other scheduler is not to start."""
    text = place.rule.schedule
    if text is None or (place.rule.scheduler or "cron").strip().lower() != "cron":
        return None
    if schedule(text) is None:
        message = f"'{text[:50]}' is no schedule of cron; the rule is run as 'quality.every' of the mesh says"
        findings.warning("DM130", place.site / "schedule", message, "Write five fields, like '0 20 * * *'.")
        return None
    return text


def _check_of(rule: Quality) -> Check:
    if rule.type == "sql":
        return Check.QUERY
    return next((each for each in METRICS if each in {rule.metric, rule.rule}), Check.ROWS)


def _checked(made: QualityRule, place: Place, entity: Ground) -> QualityRule:
    if place.rule.type == "sql":
        found = sql(made, place, entity)
    else:
        found = library(made, place, entity)
    if found.measure is None and not entity.lists:
        raise NotRun("the source has no list, so its rows cannot be counted", hint="Add 'list' to the source.")
    return found
