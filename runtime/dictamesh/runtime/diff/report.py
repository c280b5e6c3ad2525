# SPDX-License-Identifier: Apache-2.0
"""A comparison as people and tools read it: terminal, JSON, a comment of a pull request, SARIF. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dictamesh.runtime.diff.change import AccessChange, Change, Class, Comparison

LONGEST = 60  # characters of a value
COMMENT_LINES = 40
NAMED = 4  # addresses of one row
_LEVELS = {Class.SAFE: "none", Class.REVIEW: "note", Class.BREAKING: "warning", Class.PRIVACY: "error"}
_ORDER = (Class.PRIVACY, Class.BREAKING, Class.REVIEW, Class.SAFE)


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison, and who must approve it."""

    found: Comparison
    approvers: tuple[str, ...] = ()


def as_json(report: Report) -> dict[str, Any]:
    """Return the comparison as JSON values; `class` is the worst of the changes."""
    return {
        "changes": [_change(each) for each in report.found.changes],
        "access": [
            {
                "principal": each.principal,
                "address": each.address,
                "before": each.before,
                "after": each.after,
                "sees": str(each.sees),
                "situations": each.situations,
                "regimes": list(each.regimes),
            }
            for each in report.found.access
        ],
        "class": report.found.cls.value,
        "regimes": list(report.found.regimes),
        "approvers": list(report.approvers),
        "notes": list(report.found.notes),
    }


def _change(each: Change) -> dict[str, Any]:
    told = {
        "class": each.cls.value,
        "kind": each.kind,
        "address": each.address,
        "before": each.before,
        "after": each.after,
        "affects": list(each.affects),
        "regimes": list(each.regimes),
    }
    if each.place is not None:
        told |= {"file": each.place.file, "line": each.place.line, "side": each.place.side}
    return told


def as_text(report: Report) -> str:
    """Return the comparison for a terminal, the worst first."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    found = report.found
    if not found.changes:
        yield "no changes"
        return
    for each in found.changes:
        place = f"{each.place.file}:{each.place.line} " if each.place is not None else ""
        yield f"{place}{each.cls.value} {each.kind} {each.address}: {_from_to(each)}"
        if each.affects:
            yield f"  = affects {', '.join(each.affects)}"
        if each.cls is Class.PRIVACY and each.regimes:
            yield f"  = touches {', '.join(each.regimes)}"
    if found.access:
        yield ""
        yield "access"
        for told in found.access:
            yield f"  {told.address} for {told.principal}: {told.before} → {told.after} (sees {told.sees})"
    yield from (f"note: {note}" for note in found.notes)
    yield ""
    yield f"{_counted(found)}; the change is {found.cls.value}"
    if report.approvers:
        yield f"to be approved by {', '.join(report.approvers)}"


def _from_to(each: Change) -> str:
    if each.before is None:
        return f"{_short(each.after)} added" if each.after is not None else "changed"
    if each.after is None:
        return f"{_short(each.before)} removed"
    return f"{_short(each.before)} → {_short(each.after)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _counted(found: Comparison) -> str:
    counts = {cls: sum(each.cls is cls for each in found.changes) for cls in _ORDER}
    return ", ".join(f"{count} {cls.value}" for cls, count in counts.items() if count)


def as_markdown(report: Report) -> str:
    """Return the comparison as a comment of a pull request, 40 lines at most: place, who, before and after."""
    found = report.found
    head = [f"### DictaMesh: {found.cls.value}" if found.changes else "### DictaMesh: no changes", ""]
    if not found.changes:
        return head[0] + "\n"
    head += [f"{_counted(found)}.", ""]
    tail = [f"> {note}" for note in found.notes]
    if found.regimes:
        tail.append(f"**Touches** {', '.join(map(_cell, found.regimes))}" + ("  " if report.approvers else ""))
    if report.approvers:
        tail.append(f"**To be approved by** {', '.join(report.approvers)}")
    room = COMMENT_LINES - len(head) - len(tail) - bool(tail)
    access = _access_table(found.access, max(6, room // 2))
    changes = _change_table(found.changes, room - len(access))
    return "\n".join([*head, *changes, *access, *([""] if tail else []), *tail]) + "\n"


def _change_table(changes: Sequence[Change], room: int) -> list[str]:
    shown = [each for each in changes if each.kind not in {"access", "access-rows"}] or list(changes)
    rows = [
        f"| {each.cls.value} | {each.kind} `{_cell(each.address)}` | {_where(each)} | {_cell(_from_to(each))} |"
        f" {_cell(', '.join(each.affects))} |"
        for each in shown
    ]
    head = ["| class | what | where | before → after | affects |", "|---|---|---|---|---|"]
    return [*head, *_fitting(rows, room - len(head), "changes")]


def _access_table(access: Sequence[AccessChange], room: int) -> list[str]:
    if not access:
        return []
    order = {"more": 0, "otherwise": 1, "less": 2}
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for each in sorted(access, key=lambda each: order.get(str(each.sees), 3)):
        alike.setdefault((each.principal, each.before, each.after, str(each.sees)), []).append(each.address)
    rows = [
        f"| {_cell(who)} | {_several(addresses)} | {_cell(before)} | {_cell(after)} | {sees} |"
        for (who, before, after, sees), addresses in alike.items()
    ]
    head = ["", "| who | sees | before | after | |", "|---|---|---|---|---|"]
    return [*head, *_fitting(rows, room - len(head), "classes of callers")]


def _several(addresses: list[str]) -> str:
    shown = ", ".join(f"`{_cell(each)}`" for each in addresses[:NAMED])
    more = len(addresses) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _fitting(rows: list[str], room: int, what: str) -> list[str]:
    if len(rows) <= room:
        return rows
    kept = max(1, room - 2)
    return [*rows[:kept], "", f"... and {len(rows) - kept} more {what}: `dictamesh-runtime diff` shows all."]


def _where(each: Change) -> str:
    return f"{each.place.file}:{each.place.line}" if each.place is not None else ""


def _cell(text: str) -> str:
    """Text within a table of Markdown: one line, and no character that would end the cell or begin a tag."""
    return _short_cell(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _short_cell(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 2 * LONGEST else f"{text[: 2 * LONGEST - 1]}…"


def as_sarif(report: Report, version: str) -> dict[str, Any]:
    """Return the comparison as SARIF 2.1.0; safe changes have level none."""
    changes = report.found.changes
    rules = {f"{each.cls.value}/{each.kind}": each.cls for each in changes}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "dictamesh-runtime diff",
                        "version": version,
                        "rules": [
                            {"id": name, "defaultConfiguration": {"level": _LEVELS[cls]}}
                            for name, cls in sorted(rules.items())
                        ],
                    }
                },
                "results": [_result(each) for each in changes],
            }
        ],
    }


def _result(each: Change) -> dict[str, Any]:
    affects = f"; affects {', '.join(each.affects)}" if each.affects else ""
    if each.cls is Class.PRIVACY and each.regimes:
        affects += f"; touches {', '.join(each.regimes)}"
    told: dict[str, Any] = {
        "ruleId": f"{each.cls.value}/{each.kind}",
        "level": _LEVELS[each.cls],
        "message": {"text": f"{each.address}: {_from_to(each)}{affects}"},
    }
    if each.place is not None:
        artifact = {"uri": each.place.file, "uriBaseId": "SRCROOT"}
        told["locations"] = [
            {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": each.place.line}}}
        ]
    return told
