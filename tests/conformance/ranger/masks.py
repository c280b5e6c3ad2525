# SPDX-License-Identifier: Apache-2.0
"""Ranger's masks as masks of ours."""

from collections.abc import Mapping
from typing import Any

from tests.conformance.ranger.model import Reason, Unsaid

HASH: dict[str, Any] = {"kind": "hmac", "key": "pepper"}
KINDS: Mapping[str, dict[str, Any]] = {
    "MASK": {"kind": "redact"},
    "MASK_SHOW_LAST_4": {"kind": "partial", "keepFirst": 0, "keepLast": 4, "char": "x"},
    "MASK_SHOW_FIRST_4": {"kind": "partial", "keepFirst": 4, "keepLast": 0, "char": "x"},
    "MASK_HASH": HASH,
    "MASK_NULL": {"kind": "nullify"},
    "NULL": {"kind": "nullify"},
    "MASK_DATE_SHOW_YEAR": {"kind": "truncate-date", "to": "year"},
    "SHUFFLE": {"kind": "redact"},
}
"""Where ours is another, it shows less: MASK keeps the shape of a text and SHUFFLE its letters, `redact` neither."""

NONE = {"MASK_NONE", "NONE"}
DATES = {"MASK_DATE_SHOW_YEAR"}
COLUMN = "{col}"


def mask(found: tuple[str, str | None] | None) -> dict[str, Any]:
    """The effect of a mask, with its parameters; raises Unsaid for a kind that a service made up."""
    if found is None:
        raise Unsaid(Reason.MASK)
    kind, value = found
    if kind in NONE or (kind == "CUSTOM" and (value or "").strip() == COLUMN):
        return {"effect": "allow"}
    if "${{" in (value or ""):
        raise Unsaid(Reason.MASK)
    if kind == "CUSTOM":
        shown = "redact" if COLUMN in (value or "") else "nullify"  # a constant tells nothing of the value
        return {"effect": "mask", "mask": {"kind": shown}}
    if kind not in KINDS:
        raise Unsaid(Reason.MASK)
    fits = {} if KINDS[kind]["kind"] in {"redact", "nullify"} else {"otherwise": "redact"}
    return {"effect": "mask", "mask": {**KINDS[kind], **fits}}


def kind(found: tuple[str, str | None] | None) -> str:
    """The kind of mask that a decision of ours must have, `allow` where there is none."""
    if found is None:
        return "allow"
    effect = mask(found)
    return str(effect["mask"]["kind"]) if "mask" in effect else str(effect["effect"])
