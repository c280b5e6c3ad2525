# SPDX-License-Identifier: Apache-2.0
"""Items of Ranger's policies as rules of ours: roles, purposes, and conditions in SQL."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.conformance.ranger.conditions import Said
from tests.conformance.ranger.model import Item, Level, Pattern, Policy, Reason, Resource, Schedule, Tag, Unsaid
from tests.conformance.ranger.names import like, quoted

CURRENT, OWNER, PUBLIC = "{USER}", "{OWNER}", "public"
EXPRESSION = re.compile(r"\$\{\{USER\.(\w+)\}\}\Z")
PARTS = re.compile(r"(\$\{\{.*?\}\}|\{USER\}|\{OWNER\})")
EXACT = "%Y/%m/%d"


@dataclass(frozen=True, slots=True)
class Words:
    """Whom a rule is for: one of the roles (None: everybody), one of the purposes (None: all), and every condition."""

    roles: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    where: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The same as a condition."""
        parts = list(self.where)
        if self.purposes is not None:
            parts.insert(0, f"request.purpose IN ({', '.join(map(quoted, self.purposes))})")
        if self.roles is not None:
            parts.insert(0, any_of(f"{quoted(role)} = ANY(principal.roles)" for role in self.roles))
        return all_of(parts)

    def also(self, *conditions: str) -> "Words":
        return replace(self, where=(*self.where, *(each for each in conditions if each != "TRUE")))


def all_of(conditions: Iterable[str]) -> str:
    return _joined(conditions, " AND ", "TRUE")


def any_of(conditions: Iterable[str]) -> str:
    return _joined(conditions, " OR ", "FALSE")


def _joined(conditions: Iterable[str], sign: str, empty: str) -> str:
    parts = list(dict.fromkeys(conditions))
    if len(parts) < 2:
        return parts[0] if parts else empty
    return sign.join(f"({part})" if " OR " in part or " AND " in part else part for part in parts)


def opposite(condition: str) -> str:
    """What holds where a condition does not: an unknown is no (as it is where a rule asks for it)."""
    return {"TRUE": "FALSE", "FALSE": "TRUE"}.get(condition, f"NOT coalesce({condition}, FALSE)")


def words(item: Item, said: Said, tag: Tag | None) -> list[Words]:
    """The rules that an item becomes; none where it is for nobody or gives nothing."""
    if not item.accesses:
        return []
    purposes = tuple(sorted(item.accesses))
    conditions = [said.sql(each, tag) for each in item.conditions]
    return [Words(roles, purposes).also(*own, *conditions) for roles, own in _audiences(item)]


def _audiences(item: Item) -> Iterator[tuple[tuple[str, ...] | None, list[str]]]:
    if PUBLIC in item.groups:
        yield None, []
        return
    users = [f"user:{each}" for each in item.users if each not in {CURRENT, OWNER}]
    named = [*users, *(f"group:{each}" for each in item.groups), *(f"role:{each}" for each in item.roles)]
    if named:
        yield tuple(named), []
    if CURRENT in item.users:
        yield None, ["principal.user IS NOT NULL"]
    if OWNER in item.users:
        yield None, ["owner = principal.user"]


def speaks(policy: Policy, said: Said, tag: Tag | None) -> str:
    """When a policy says anything of a resource that it matches."""
    whole = [said.sql(each, tag) for each in policy.conditions]
    if policy.schedules:
        whole.append(any_of(scheduled(each) for each in policy.schedules))
    if policy.deny_all_else:
        return all_of(whole)
    told = [
        each.also(*exceptions(besides, said, tag)).sql
        for items, besides in ((policy.deny, policy.not_deny), (policy.allow, policy.not_allow), (policy.gives, ()))
        for item in items
        for each in words(item, said, tag)
    ]
    return all_of([*whole, any_of(told)])


def exceptions(items: tuple[Item, ...], said: Said, tag: Tag | None) -> list[str]:
    """The condition that no exception holds."""
    told = [each.sql for item in items for each in words(item, said, tag)]
    return [opposite(any_of(told))] if told else []


def scheduled(schedule: Schedule) -> str:
    """When a schedule holds, in SQL; raises Unsaid where dates do not tell."""
    first, last = days(schedule)
    parts = [f"CURRENT_DATE >= DATE '{first}'"] if first else []
    return all_of([*parts, f"CURRENT_DATE <= DATE '{last}'"] if last else parts)


def days(schedule: Schedule) -> tuple[str | None, str | None]:
    """The first and the last day of a schedule; raises Unsaid where more than dates tells.

    Where it begins or ends within a day, that day is one of its days: no request on it is judged.
    """
    if schedule.unsaid:
        raise Unsaid(schedule.unsaid)
    end = schedule.end - timedelta(seconds=1) if schedule.end is not None else None
    first = f"{schedule.start:%Y-%m-%d}" if schedule.start is not None else None
    return first, f"{end:%Y-%m-%d}" if end is not None else None


def on_path(resource: Resource) -> str | None:
    """The condition on the column `path`; None where the resource names no path, or any."""
    pattern = next((each for each in resource if each.level.path), None)
    if pattern is None or (pattern.any and not pattern.excludes):
        return None
    if pattern.any:
        return "FALSE"
    told = any_of(_on_path(text, pattern) for text in pattern.values)
    return opposite(told) if pattern.excludes else told


def _on_path(text: str, pattern: Pattern) -> str:
    level = pattern.level
    column = "lower(path)" if level.ignore_case else "path"
    if level.wildcard and pattern.recursive and text.endswith(level.separator):
        text += "*"
    if level.wildcard and re.search(r"[*?]", PARTS.sub("", text)):
        told = f"{column} LIKE {_text(text, level, pattern=True)}"
        below = f"{column} LIKE {_text(text + level.separator + '*', level, pattern=True)}"
        return any_of([told, below]) if pattern.recursive else told
    if not pattern.recursive:
        return f"{column} = {_text(text, level)}"
    text = text.removesuffix(level.separator)
    below = f"starts_with({column}, {_text(text + level.separator, level)})"
    return any_of([f"{column} = {_text(text, level)}", below])


def _text(text: str, level: Level, *, pattern: bool = False) -> str:
    """A value of a path as SQL, or as a pattern of LIKE."""
    parts = []
    for each in PARTS.split(text):
        if each:
            found = _token(each, level)
            if found is None:
                parts.append(quoted(_literal(each.lower() if level.ignore_case else each, level, pattern=pattern)))
            else:
                found = f"lower({found})" if level.ignore_case else found
                parts.append(rf"replace(replace({found}, '%', '\%'), '_', '\_')" if pattern else found)
    return " || ".join(parts) or "''"


def _literal(text: str, level: Level, *, pattern: bool) -> str:
    if not pattern:
        return text
    text = like(text)
    return text.replace("*", "%").replace("?", "_") if level.wildcard else text


def _token(text: str, level: Level) -> str | None:
    if text == CURRENT and level.tokens:
        return "principal.user"
    if text == OWNER and level.tokens:
        return "owner"
    if level.expressions and text.startswith("${{"):
        found = EXPRESSION.match(text)
        if found is None:
            raise Unsaid(Reason.RESOURCE_EXPRESSION)
        return "principal.user" if found[1] == "_name" else f"principal.attribute_{found[1]}"
    return None


def attributes(policy: Policy) -> set[str]:
    """The attributes of users that a policy reads, as claims."""
    texts = [text for resource in policy.resources for pattern in resource for text in pattern.values]
    texts += [item.filter for item in policy.gives if item.filter]
    found = [match[1] for text in texts for part in PARTS.split(text) if (match := EXPRESSION.match(part))]
    return {f"attribute_{name}" for name in found if name != "_name"}
