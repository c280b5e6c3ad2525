# SPDX-License-Identifier: Apache-2.0
"""What changes of a contract without a source mean: it has no entities in the plan, only its words (ADR 8)."""

from collections.abc import Iterator, Mapping
from typing import Any

from dictamesh.runtime.compile.plan import ProductPlan
from dictamesh.runtime.diff.change import Change, Class, Path
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.resolve.sensitivity import rank

Words = Mapping[str, Any]


def unserved_changes(old: ProductPlan, new: ProductPlan) -> Iterator[Change]:
    """Yield what differs for those who rely on the entities and properties of a contract."""
    for at, before, after in _pairs(old.document, new.document, "schema", ()):
        where = f"{new.name}#{at[-1][1:-1]}"
        if before is None or after is None:
            cls, kind = (Class.SAFE, "entity-added") if before is None else (Class.BREAKING, "entity-removed")
            yield _change(new.name, cls, kind, where, at, _name(before), _name(after))
        else:
            yield from _properties(new.name, where, at, before, after)


def _properties(product: str, where: str, path: Path, old: Words, new: Words) -> Iterator[Change]:
    for at, before, after in _pairs(old, new, "properties", path):
        name = f"{where}.{at[-1][1:-1]}"
        if before is None or after is None:
            cls, kind = (Class.SAFE, "field-added") if before is None else (Class.BREAKING, "field-removed")
            yield _change(product, cls, kind, name, at, _shape(before), _shape(after))
            continue
        if _shape(before) != _shape(after):
            yield _change(product, Class.BREAKING, "field-type", name, at, _shape(before), _shape(after))
        one, other = bool(before.get("required")), bool(after.get("required"))
        if one != other:
            cls, kind = (Class.REVIEW, "required") if other else (Class.BREAKING, "no-longer-required")
            yield _change(product, cls, kind, name, at, one, other)
        yield from _tier(product, name, at, before.get("classification"), after.get("classification"))
        yield from _properties(product, name, at, before, after)


def _tier(product: str, where: str, path: Path, old: str | None, new: str | None) -> Iterator[Change]:
    """Tiers that the language does not know say nothing; what has none would be served as restricted."""
    before, after = old or TIERS[-1], new or TIERS[-1]
    if before == after or not {before, after} <= set(TIERS):
        return
    lowered = rank(after) < rank(before)
    cls, kind = (Class.PRIVACY, "tier-lowered") if lowered else (Class.REVIEW, "tier-raised")
    yield _change(product, cls, kind, where, path, before, after)


def _pairs(old: Words, new: Words, key: str, path: Path) -> Iterator[tuple[Path, Words | None, Words | None]]:
    before, after = ({each["name"]: each for each in words.get(key) or ()} for words in (old, new))
    for name in sorted({*before, *after}):
        yield (*path, key, f"[{name}]"), before.get(name), after.get(name)


def _name(words: Words | None) -> str | None:
    return None if words is None else str(words["name"])


def _shape(words: Words | None) -> str | None:
    if words is None:
        return None
    return " ".join(str(words[key]) for key in ("logicalType", "physicalType") if words.get(key)) or "any"


def _change(product: str, cls: Class, kind: str, where: str, path: Path, before: Any, after: Any) -> Change:
    return Change(cls, kind, where, before, after, document=f"DataProduct/{product}", path=path)
