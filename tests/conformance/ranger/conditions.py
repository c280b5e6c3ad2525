# SPDX-License-Identifier: Apache-2.0
"""Conditions of Ranger as SQL over principal and time. What cannot be said becomes a claim that somebody sets."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.conformance.ranger.model import Condition, ConditionDef, Reason, Tag, Unsaid
from tests.conformance.ranger.names import like, quoted

TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|'([^']*)'|\"([^\"]*)\"|([A-Za-z_][\w.]*)|(&&|\|\||[=!]==?|<=|>=|[<>!(),]))")
RESULT = re.compile(
    r"\s*(?:if\s*\((?P<if>.*)\)\s*ctx\.result\s*=\s*true|ctx\.result\s*=\s*(?P<is>.*)|(?P<plain>.*?))[;\s]*\Z",
    re.DOTALL,
)
MEMBER = {"IS_IN_ROLE": "role", "ctx.isInRole": "role", "IS_IN_GROUP": "group", "ctx.isInGroup": "group"}
TIMES = {"ctx.isAccessedAfter": (">=", True), "ctx.isAccessedBefore": ("<=", False)}
"""How the time of access compares with an attribute, and what it is where there is no such attribute."""
DATES = (
    (re.compile(r"\d{1,4}/\d{1,2}/\d{1,2}"), "%Y/%m/%d"),  # what follows is not read
    (re.compile(r"\d{1,4}-\d{1,2}-\d{1,2}T\d{1,2}:\d{1,2}:\d{1,2}\.\d{1,3}Z"), "%Y-%m-%dT%H:%M:%S.%fZ"),
)
COMPARED = {"==": "=", "===": "=", "!=": "<>", "!==": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(slots=True)
class Unknowns:
    """Conditions that we cannot say, each a claim of the principal, and the reason why."""

    claims: dict[str, str] = field(default_factory=dict)  # by what cannot be said
    reasons: dict[str, str] = field(default_factory=dict)  # by claim

    def sql(self, what: str, reason: str) -> str:
        """The condition that the claim for `what` is true."""
        claim = self.claims.setdefault(what, f"unknown_{len(self.claims) + 1}")
        self.reasons[claim] = reason
        return f"principal.{claim}"


@dataclass(slots=True)
class Said:
    """The words for conditions of one service: its definitions, the context that requests give, and what is unknown."""

    defs: Mapping[str, ConditionDef]
    unknowns: Unknowns
    context: set[str] = field(default_factory=set)  # keys of the context that are read, as claims

    def sql(self, condition: Condition, tag: Tag | None) -> str:
        """A condition as SQL; on a tag with its attributes."""
        try:
            return self._said(condition, tag)
        except Unsaid as reason:
            return self.unknowns.sql(f"{condition.kind}: {condition.values} {tag}", str(reason))

    def _said(self, condition: Condition, tag: Tag | None) -> str:
        definition = self.defs.get(condition.kind)
        values = condition.values
        if definition is None or not values or not values[0].strip():
            raise Unsaid(Reason.UNREAD_CONDITION)
        if definition.evaluator == "RangerSimpleMatcher":
            return self._context(definition, values)
        if definition.evaluator == "RangerScriptConditionEvaluator":
            return script(values[0], tag)
        if definition.evaluator == "RangerScriptTemplateConditionEvaluator" and definition.options.get(
            "scriptTemplate"
        ):
            said = script(definition.options["scriptTemplate"], tag)
            return f"NOT ({said})" if values[0].lower() in {"no", "false"} else said
        raise Unsaid(REASONS.get(definition.evaluator, Reason.UNREAD_CONDITION))

    def _context(self, definition: ConditionDef, values: tuple[str, ...]) -> str:
        key = definition.options.get("CONTEXT_NAME") or ""
        if not key.isidentifier():
            raise Unsaid(Reason.UNREAD_CONDITION)
        self.context.add(key)
        plain = [quoted(value) for value in values if not re.search(r"[*?]", value)]
        said = [f"principal.{key} IN ({', '.join(plain)})"] if plain else []
        for value in values:
            if re.search(r"[*?]", value):
                pattern = like(value).replace("*", "%").replace("?", "_")
                said.append(f"principal.{key} LIKE {quoted(pattern)}")
        return " OR ".join(said)


REASONS = {
    "RangerHiveResourcesAccessedTogetherCondition": Reason.TOGETHER,
    "RangerHiveResourcesNotAccessedTogetherCondition": Reason.TOGETHER,
    "RangerIpMatcher": Reason.ADDRESS,
    "RangerTimeOfDayMatcher": Reason.TIME,
}


def script(text: str, tag: Tag | None) -> str:
    """A script as SQL; raises Unsaid for all but a boolean expression over roles, groups and the tag's attributes."""
    found = RESULT.match(text)
    assert found is not None
    body = next(each for each in found.group("if", "is", "plain") if each is not None)
    if "LOCATION_" in body:
        raise Unsaid(Reason.PLACE)
    return _Script(body, tag).read()


class _Script:
    """A recursive descent over a boolean expression of JavaScript."""

    def __init__(self, text: str, tag: Tag | None) -> None:
        self._tokens = list(_tokens(text))
        self._tag = tag

    def read(self) -> str:
        said = self._or()
        if self._tokens:
            raise Unsaid(Reason.SCRIPT)
        return said

    def _or(self) -> str:
        return self._joined("||", "OR", self._and)

    def _and(self) -> str:
        return self._joined("&&", "AND", self._not)

    def _joined(self, sign: str, word: str, part) -> str:
        parts = [part()]
        while self._take(sign):
            parts.append(part())
        return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"

    def _not(self) -> str:
        if self._take("!"):
            return f"NOT {self._not()}"
        if self._take("("):
            said = self._or()
            self._need(")")
            return said
        return self._comparison()

    def _comparison(self) -> str:
        kind, text = self._next()
        if kind == "name" and text in {"true", "false"}:
            return text.upper()
        if kind == "name" and text in MEMBER:
            return f"{quoted(f'{MEMBER[text]}:{self._argument()}')} = ANY(principal.roles)"
        if kind == "name" and text in TIMES:
            return self._time(*TIMES[text])
        left = self._value(kind, text)
        _, sign = self._next()
        if sign not in COMPARED:
            raise Unsaid(Reason.SCRIPT)
        right = self._value(*self._next())
        return _compared(left, COMPARED[sign], right)

    def _time(self, sign: str, absent: bool) -> str:
        value = self._attribute(self._argument()) or ""
        for start, form in DATES:
            found = start.match(value)
            if found is not None:
                return f"CURRENT_TIMESTAMP {sign} TIMESTAMP '{_moment(found[0], form):%Y-%m-%d %H:%M:%S}'"
        return str(absent).upper()

    def _value(self, kind: str, text: str) -> float | str | None:
        if kind == "number":
            return float(text)
        if kind == "text":
            return text
        if text in {"tagAttr.get", "ctx.getAttributeValue"}:
            return self._attribute(self._argument())
        if text.startswith("TAG.") and text.count(".") == 1:
            return self._attribute(text.removeprefix("TAG."))
        raise Unsaid(Reason.SCRIPT)

    def _attribute(self, name: str) -> str | None:
        if self._tag is None:
            raise Unsaid(Reason.SCRIPT)
        return dict(self._tag.attributes).get(name)

    def _argument(self) -> str:
        self._need("(")
        kind, text = self._next()
        self._need(")")
        if kind != "text":
            raise Unsaid(Reason.SCRIPT)
        return text

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise Unsaid(Reason.SCRIPT)
        return self._tokens.pop(0)

    def _take(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("sign", sign):
            self._tokens.pop(0)
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise Unsaid(Reason.SCRIPT)


def _moment(text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        raise Unsaid(Reason.SCRIPT) from None


def _compared(left: float | str | None, sign: str, right: float | str | None) -> str:
    """What JavaScript compares as numbers where one side is one, and as texts else."""
    if left is None or right is None:
        raise Unsaid(Reason.SCRIPT)
    if isinstance(left, float) or isinstance(right, float):
        try:
            return f"{float(left)} {sign} {float(right)}"
        except ValueError:
            raise Unsaid(Reason.SCRIPT) from None
    return f"{quoted(left)} {sign} {quoted(right)}"


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.strip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise Unsaid(Reason.SCRIPT)
        at = found.end()
        number, single, double, name, sign = found.groups()
        if number is not None:
            yield "number", number
        elif name is not None:
            yield "name", name
        elif sign is not None:
            yield "sign", sign
        else:
            yield "text", single if single is not None else double
