# SPDX-License-Identifier: Apache-2.0
"""Library metrics of quality rules: what is measured, and what the measure must be (ODCS)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dictamesh.specs.documents import Site
from dictamesh.specs.expressions import ExpressionFailed
from dictamesh.specs.expressions.casts import conversion
from dictamesh.specs.manifest import Manifest, Source
from dictamesh.specs.model import Quality
from dictamesh.specs.quality import METRICS, Bound, Check, Operator, QualityRule
from dictamesh.specs.resolved import Field
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import NULL, STRING, Kind, Type

_LONGEST = 4096  # characters of a pattern
_UNCOMPARED = frozenset({Kind.JSON, Kind.OBJECT, Kind.ARRAY})


class NotRun(Exception):  # noqa: N818 - the state of a rule
    """Why a rule is not run, and at which key that shows; `part` are offsets in that key's text."""

    def __init__(
        self, reason: str, *path: str | int, hint: str | None = None, part: tuple[int, int] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.hint = hint
        self.part = part


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands: at a field, over members of objects and items of arrays (`through`), or at the entity.

    `type` is that of the values that the rule is about.
    """

    rule: Quality
    site: Site
    path: tuple[str, ...] = ()
    through: tuple[bool, ...] = ()
    field: Field | None = None
    type: Type = NULL

    @property
    def own(self) -> bool:
        """Whether the rule is about a field of the entity itself."""
        return self.through == (False,)


@dataclass(frozen=True, slots=True)
class Ground:
    name: str
    fields: Mapping[str, Field]
    source: Source
    manifest: Manifest
    lists: bool


def library(made: QualityRule, place: Place, entity: Ground) -> QualityRule:
    rule = place.rule
    word = rule.metric or rule.rule
    if word is None:
        raise NotRun("it names no metric", hint=f"Add 'metric:' with {', '.join(METRICS)}.")
    metric = next((each for each in METRICS if each == word), None)
    if metric is None:
        near = suggest(word, METRICS)
        hint = f"did you mean '{near}'?" if near else f"The metrics are {', '.join(METRICS)}."
        raise NotRun(f"there is no metric '{word[:50]}'", "metric" if rule.metric else "rule", hint=hint)
    if metric is Check.INVALID and _operators(rule) == []:
        bound = Bound(Operator.BE, (Decimal(0),))  # a list of valid values says as much
    else:
        bound = bound_of(rule, numbers=True)
    made = replace(made, check=metric, bound=bound, percent=percent_of(rule))
    if metric is Check.ROWS:
        if made.percent:
            raise NotRun("a number of rows is no share of them", "unit", hint="Leave 'unit' out.")
        return made
    if metric is Check.DUPLICATE:
        return replace(made, fields=_duplicates(place, entity))
    if place.field is None:
        raise NotRun(f"'{metric}' is measured of a property", "metric", hint="Move the rule to a property.")
    return _ARGUMENTS[metric](made, place, place.type)


def _operators(rule: Quality) -> list[tuple[Operator, Any]]:
    given = rule.model_dump(by_alias=True, exclude_unset=True)
    return [(each, given[each]) for each in Operator if each in given]


def bound_of(rule: Quality, *, numbers: bool) -> Bound:
    given = _operators(rule)
    if len(given) != 1:
        reason = "it says two things that the measure must be" if given else "it does not say what the measure must be"
        path = (given[1][0].value,) if given else ()
        raise NotRun(reason, *path, hint="Write one of mustBe, mustBeLessThan, mustBeBetween, ...")
    ((operator, value),) = given
    values = tuple(
        _number(each, operator, numbers=numbers) for each in (value if isinstance(value, list | tuple) else (value,))
    )
    if len(values) > 1 and values[0] > values[-1]:
        raise NotRun("the smaller number of a range comes first", operator.value)
    return Bound(operator, values)


def _number(value: Any, operator: Operator, *, numbers: bool) -> Decimal | bool:
    if isinstance(value, bool) and not numbers:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        wanted = "a number" if numbers else "a number, true or false"
        raise NotRun(f"'{operator}' takes {wanted}", operator.value)
    number = Decimal(str(value))
    if not number.is_finite():
        raise NotRun(f"'{operator}' takes a finite number", operator.value)
    return number


def percent_of(rule: Quality) -> bool:
    unit = (rule.unit or "rows").strip().lower()
    if unit not in {"rows", "percent"}:
        raise NotRun(f"there is no unit '{unit[:50]}'", "unit", hint="Write 'rows' or 'percent'.")
    return unit == "percent"


def _duplicates(place: Place, entity: Ground) -> tuple[str, ...]:
    given = place.rule.arguments.get("properties")
    if given is None and place.field is None:
        raise NotRun("it does not say which properties", hint="Add 'arguments: {properties: [...]}'.")
    if given is None and not place.own:
        raise NotRun("duplicates are looked for among fields of the entity, not within one")
    names = place.path if given is None else given
    if not isinstance(names, list | tuple) or not names or not all(isinstance(each, str) for each in names):
        raise NotRun("'properties' is a list of names", "arguments", "properties")
    for index, name in enumerate(names):
        if name not in entity.fields:
            near = suggest(name, entity.fields)
            hint = f"did you mean '{near}'?" if near else f"The fields are {', '.join(entity.fields)}."
            raise NotRun(f"there is no property '{name[:50]}'", "arguments", "properties", index, hint=hint)
        if entity.fields[name].type.kind in _UNCOMPARED:
            raise NotRun(f"'{name}' is {entity.fields[name].type}, whose values are not compared")
    return tuple(dict.fromkeys(names))


def _null(made: QualityRule, _place: Place, _type: Type) -> QualityRule:
    return made


def _missing(made: QualityRule, place: Place, kind: Type) -> QualityRule:
    given = place.rule.arguments.get("missingValues")
    if given is None:
        return replace(made, null=True, values=("",) if kind.kind is Kind.STRING else ())
    if not isinstance(given, list):
        raise NotRun("'missingValues' is a list", "arguments", "missingValues")
    return replace(made, null=None in given, values=_values(given, kind, "missingValues"))


def _invalid(made: QualityRule, place: Place, kind: Type) -> QualityRule:
    given, pattern = (place.rule.arguments.get(name) for name in ("validValues", "pattern"))
    if given is None and pattern is None:
        raise NotRun("it says neither 'validValues' nor 'pattern'", hint="Add one of them to 'arguments'.")
    if given is not None and not isinstance(given, list):
        raise NotRun("'validValues' is a list", "arguments", "validValues")
    values = () if given is None else _values(given, kind, "validValues")
    if given is not None and not values:
        raise NotRun("'validValues' holds no value", "arguments", "validValues")
    if pattern is not None:
        _check_pattern(pattern, kind)
    return replace(made, values=values, pattern=pattern)


_ARGUMENTS: Mapping[Check, Callable[[QualityRule, Place, Type], QualityRule]] = {
    Check.NULL: _null,
    Check.MISSING: _missing,
    Check.INVALID: _invalid,
}


def _values(given: list[Any], kind: Type, name: str) -> tuple[Any, ...]:
    if kind.kind in _UNCOMPARED:
        raise NotRun(f"a property of type {kind} is not compared with values", "arguments", name)
    found: list[Any] = []
    for index, value in enumerate(given):
        if value is not None:
            found.append(_typed(value, kind, name, index))
    return tuple(dict.fromkeys(found))


def _typed(value: Any, kind: Type, name: str, index: int) -> Any:
    fault = NotRun(f"'{name}' holds a value that is no {kind}", "arguments", name, index)
    if kind.kind is Kind.STRING or kind.kind is Kind.BOOLEAN:
        if isinstance(value, str if kind.kind is Kind.STRING else bool):
            return value
        raise fault
    convert = conversion(STRING, kind)
    if convert is None or isinstance(value, bool | list | dict):
        raise fault
    try:
        return convert(str(value))
    except ExpressionFailed:
        raise fault from None


def _check_pattern(pattern: Any, kind: Type) -> None:
    import re2  # noqa: PLC0415 - few specs have patterns

    place = ("arguments", "pattern")
    if kind.kind is not Kind.STRING:
        raise NotRun(f"a property of type {kind} has no text for a pattern", *place)
    if not isinstance(pattern, str) or len(pattern) > _LONGEST:
        raise NotRun("'pattern' is a text of 4,096 characters at most", *place)
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error:
        hint = "It is matched by RE2, which knows no lookaround and no backreferences."
        raise NotRun("'pattern' is no regular expression that can be run", *place, hint=hint) from None
