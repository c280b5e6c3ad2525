# SPDX-License-Identifier: Apache-2.0
"""From a column's name and values to what it seems to hold, and how sure that is.

Two independent witnesses: the name, and the share of values that pass a check, weighed against how often random values
of the same shape pass it. A check that one of ten numbers passes proves nothing by ten values, and much by a hundred.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from dictamesh.runtime.scan.column import Column
from dictamesh.runtime.scan.dates import share_of_births
from dictamesh.runtime.scan.evidence import Evidence, Verdict
from dictamesh.runtime.scan.formats import FORMATS, Format
from dictamesh.runtime.scan.formats.contact import NATIONAL, phone_national
from dictamesh.runtime.scan.prose import judge_prose
from dictamesh.specs.pii import MAX_VALUE, Hint, KindName, Names, Pattern, Strength, hints

THRESHOLD = 0.5  # confidence from which a tag is proposed
_BY_NAME = {Strength.STRONG: 0.65, Strength.LIKELY: 0.5, Strength.WEAK: 0.3}
_DECADES = 4.0  # powers of ten by which values must speak for a format to count in full
_FEW = 0.3  # the share below which a name is contradicted by the looks of the values
_ENOUGH = 10  # distinct values that may contradict a name
_PATTERN_ALONE = 0.9
_PATTERN_LEAST = 0.8
_BIRTHS_LEAST = 0.9
_BIRTHS_ALONE = 0.4


@dataclass(frozen=True, slots=True)
class Detection:
    """What a taxonomy adds: names of columns and patterns of values, by tag."""

    names: Names = field(default_factory=lambda: Names({}))
    patterns: Mapping[str, tuple[Pattern, ...]] = field(default_factory=dict)


def judge(column: Column, detection: Detection, today: date | None = None) -> list[Verdict]:
    """What a column seems to hold, surest first; only what reaches the threshold. Free text may hold several kinds."""
    own = _own(column, detection)
    told = {hint.kind: hint for hint in hints(column.name)}
    found: dict[KindName, Verdict] = {}
    for kind in {*told, *(each.kind for each in FORMATS)}:
        verdict = _verdict(column, kind, told.get(kind), today or datetime.now(UTC).date())
        if verdict is not None:
            found[kind] = verdict
    ranked = sorted(found.values(), key=lambda each: (-each.confidence, each.kind or ""))
    single = _best(ranked)
    return [*own, *single, *(judge_prose(column) if column.prose and not single else ())]


def _best(ranked: list[Verdict]) -> list[Verdict]:
    """One column of single values holds one kind: the surest, and none where only its name speaks for another."""
    return [each for each in ranked[:1] if each.confidence >= THRESHOLD]


def _own(column: Column, detection: Detection) -> list[Verdict]:
    """Verdicts for tags by the taxonomy's names and patterns."""
    named = detection.names.tag(column.name)
    found = []
    for tag in dict.fromkeys([*([named] if named else []), *detection.patterns]):
        evidence: list[Evidence] = []
        sure = 0.0
        if tag == named:
            sure = _BY_NAME[Strength.STRONG]
            evidence.append(_named(column, "strong"))
        share = _share(column.texts, partial(_any, detection.patterns.get(tag, ())))
        if share >= _PATTERN_LEAST and column.texts:
            sure = _both(sure, _PATTERN_ALONE * min(1.0, len(column.texts) / 5))
            evidence.append(Evidence("pattern", {"tag": tag, "share": share, "checked": len(column.texts)}))
        if sure >= THRESHOLD:
            found.append(Verdict(None, tag, round(sure, 2), (*evidence, _statistics(column))))
    return found


def _any(patterns: Iterable[Pattern], text: str) -> bool:
    return any(pattern.fullmatch(text[:MAX_VALUE]) for pattern in patterns)


def _verdict(column: Column, kind: KindName, hint: Hint | None, today: date) -> Verdict | None:
    by_name, evidence = _by_name(column, kind, hint)
    by_values, format_, told = _by_values(column, kind, hint, today)
    if not evidence and told is None:
        return None
    sure = _both(by_name, by_values)
    if hint is not None and hint.negative:
        sure *= 0.6
    if told is not None:
        evidence.append(told)
    words = format_.words if format_ is not None else ()
    return Verdict(kind, None, round(sure, 2), (*evidence, _statistics(column)), words)


def _both(one: float, other: float) -> float:
    """The confidence that two independent witnesses give together."""
    return 1 - (1 - one) * (1 - other)


def _by_name(column: Column, kind: KindName, hint: Hint | None) -> tuple[float, list[Evidence]]:
    if hint is None:
        return 0.0, []
    strength = hint.strength
    if strength is Strength.WEAK and kind == "name" and column.of_people:
        strength = Strength.LIKELY
    sure = 0.0 if hint.negative else _BY_NAME[strength]
    if len(column.texts) >= _ENOUGH and _share(column.texts, _LOOKS[kind]) < _FEW:
        sure *= 0.3
    elif column.present >= 50 and len(column.texts) <= 3:
        sure *= 0.5  # the same few values again and again are hardly those of persons
    return sure, [_named(column, f"{strength.name.lower()}{' but negated' if hint.negative else ''}")]


def _named(column: Column, strength: str) -> Evidence:
    return Evidence(
        "name", {"name": "of a key within" if column.secret_name else f"'{column.name}'", "strength": strength}
    )


def _by_values(
    column: Column, kind: KindName, hint: Hint | None, today: date
) -> tuple[float, Format | None, Evidence | None]:
    if kind == "birthdate":
        sure, told = _births(column, hint, today)
        return sure, None, told
    best: tuple[float, Format | None, Evidence | None] = (0.0, None, None)
    for format_ in FORMATS:
        if format_.kind == kind and column.texts:
            sure, told = _by_format(column, format_, hint)
            if sure > best[0]:
                best = sure, format_, told
    return best


def _by_format(column: Column, format_: Format, hint: Hint | None) -> tuple[float, Evidence | None]:
    if format_ is NATIONAL and hint is None:
        return 0.0, None  # costly, and says nothing without a name
    check = _check(column, format_)
    texts = column.texts
    share = _share(texts[:20], check)  # a look at a few spares most columns the rest
    if share < min(0.25, format_.least / 2):
        return 0.0, None
    share = _share(texts, check)
    least = format_.least if hint is None else format_.least * 0.6
    if share < least or (column.counts_up and format_.base_rate > 0.01):
        return 0.0, None
    weight = min(1.0, max(0.0, decades(format_, len(texts), share) / _DECADES))
    if hint is not None:
        weight = max(weight, 0.5)  # what the name says need not be shown to be no chance
    limit = format_.alone * min(1.0, share / format_.passes) * weight
    facts = {"format": format_.name, "share": round(share, 3), "checked": len(texts), "baseRate": format_.base_rate}
    return limit, Evidence("format", facts)


def _check(column: Column, format_: Format) -> Callable[[str], bool]:
    if format_ is NATIONAL and column.regions:
        return lambda text: phone_national(text, column.regions)
    return format_.check


def decades(format_: Format, checked: int, share: float) -> float:
    """By how many powers of ten the values are likelier in a true column than among random ones of their shape."""
    rate = min(max(format_.base_rate, 1e-6), 0.999)
    passed = share * checked
    gain = math.log10(format_.passes / rate)
    loss = math.log10((1 - format_.passes) / (1 - rate))
    return passed * gain + (checked - passed) * loss


def _births(column: Column, hint: Hint | None, today: date) -> tuple[float, Evidence | None]:
    if len(column.dates) < 5 or len(column.dates) < 0.8 * column.present:
        return 0.0, None
    share, years = share_of_births(column.dates, today)
    if share < _BIRTHS_LEAST:
        return 0.0, None
    facts = {"share": round(share, 3), "checked": len(column.dates), "years": years}
    return _BIRTHS_ALONE if hint is None else 0.7, Evidence("dates", facts)


def _statistics(column: Column) -> Evidence:
    rows = len(column.values)
    shortest, longest, mean = column.lengths
    facts = {
        "rows": rows,
        "nulls": round(1 - column.present / rows, 3) if rows else 0.0,
        "distinct": column.distinct,
        "shortest": shortest,
        "longest": longest,
        "mean": mean,
    }
    return Evidence("values", facts)


def _share(texts: Iterable[str], check: Callable[[str], bool]) -> float:
    results = [check(text) for text in texts]
    return sum(results) / len(results) if results else 0.0


def _digits(text: str) -> int:
    return sum(letter.isdigit() for letter in text)


def _letters(text: str) -> int:
    return sum(letter.isalpha() for letter in text)


def _wordy(text: str) -> bool:
    return _letters(text) >= 2 and not _digits(text)


_LOOKS: Mapping[KindName, Callable[[str], bool]] = {
    "email": lambda text: "@" in text,
    "phone": lambda text: 5 <= _digits(text) <= 20 and _letters(text) <= 4,
    "name": _wordy,
    "address": lambda text: _letters(text) >= 2 or len(text) <= 6,
    "postcode": lambda text: 3 <= len(text) <= 10 and _digits(text) >= 1,
    "birthdate": lambda text: _digits(text) >= 1,
    "national-id": lambda text: _digits(text) >= 4,
    "passport": lambda text: _digits(text) >= 4 and len(text) <= 20,
    "driver-licence": lambda text: _digits(text) >= 4 and len(text) <= 30,
    "iban": lambda text: _digits(text) >= 5,
    "card": lambda text: _digits(text) >= 12 or "*" in text or text.isdecimal(),
    "ip": lambda text: "." in text or ":" in text,
    "mac": lambda text: ":" in text or "-" in text or "." in text,
    "coordinates": lambda text: _digits(text) >= 2,
    "gender": lambda text: len(text) <= 20,
    "username": lambda text: " " not in text and len(text) <= 64,
    "special-category": lambda _text: True,
}
"""What values of a kind look like at the very least; a column whose values do not is misnamed."""
