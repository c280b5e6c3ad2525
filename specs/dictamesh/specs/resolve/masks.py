# SPDX-License-Identifier: Apache-2.0
"""The kinds of masks: their parameters, the types they fit, and the rule that each comes to (S13, S19)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Mask, Mesh
from dictamesh.specs.resolve.declared import check_declared
from dictamesh.specs.resolved import Declared, Field
from dictamesh.specs.rules import MaskRule
from dictamesh.specs.types import Kind, Type


@dataclass(frozen=True, slots=True)
class MaskKind:
    """One kind: what it takes besides `kind` and `otherwise`, and what it is for (None: every type)."""

    parameters: frozenset[str] = frozenset()
    for_what: Callable[[Mask], str] | None = None
    fits: Callable[[Type, Mask], bool] = lambda _type, _mask: True
    rule: Callable[[Mask, str], MaskRule] = lambda mask, _scope: MaskRule(mask.kind)


def _text(kind: Type, _mask: Mask) -> bool:
    return kind.kind is Kind.STRING and not kind.values


def _generalised(kind: Type, mask: Mask) -> bool:
    if mask.step is None:
        return _text(kind, mask)
    return kind.numeric and (kind.kind not in {Kind.INT, Kind.LONG} or float(mask.step).is_integer())


def _generalises(mask: Mask) -> str:
    if mask.step is None:
        return "strings"
    return "numbers" if float(mask.step).is_integer() else "numbers with a fraction"


def _dated(kind: Type, mask: Mask) -> bool:
    return kind.kind is Kind.TIMESTAMP or (kind.kind is Kind.DATE and mask.to != "hour")


def _partial(mask: Mask, _scope: str) -> MaskRule:
    keep_last = 4 if mask.keep_last is None else mask.keep_last
    return MaskRule("partial", keep_first=mask.keep_first or 0, keep_last=keep_last, char=mask.char or "*")


def _generalise(mask: Mask, _scope: str) -> MaskRule:
    step = None if mask.step is None else Decimal(repr(mask.step)).normalize()
    groups = sorted((text, name) for name, texts in (mask.groups or {}).items() for text in texts)
    return MaskRule("generalise", step=step, groups=tuple(groups), other=mask.other)


KINDS: Mapping[str, MaskKind] = {
    "redact": MaskKind(),
    "nullify": MaskKind(),
    "partial": MaskKind(frozenset({"keep_first", "keep_last", "char"}), lambda _: "strings", _text, _partial),
    "hmac": MaskKind(
        frozenset({"key", "scope"}),
        lambda _: "strings",
        _text,
        lambda mask, scope: MaskRule("hmac", key=mask.key, scope=scope),
    ),
    "token": MaskKind(
        frozenset({"key", "scope"}),
        lambda _: "strings",
        _text,
        lambda mask, scope: MaskRule("token", key=mask.key, scope=scope),
    ),
    "generalise": MaskKind(frozenset({"step", "groups", "other"}), _generalises, _generalised, _generalise),
    "truncate-date": MaskKind(
        frozenset({"to"}),
        lambda mask: "timestamps" if mask.to == "hour" else "dates and timestamps",
        _dated,
        lambda mask, _scope: MaskRule("truncate-date", unit=mask.to),
    ),
}


def same_for_all(mask: Mask) -> bool:
    """Whether a mask fits every field and comes to the same rule for each."""
    return KINDS[mask.kind].for_what is None


def mask_rule(mask: Mask, scopes: tuple[str, str]) -> MaskRule:
    """Return the rule of a mask; `scopes` are the mesh's name and the product's id."""
    return KINDS[mask.kind].rule(mask, scopes[1] if mask.scope == "product" else scopes[0])


def mask_fits(mask: Mask, field: Field) -> bool:
    """Whether a mask can be applied to a field; on an object it acts on the leaves, each asked by itself."""
    kind = field.type
    while kind.kind is Kind.ARRAY and kind.item is not None:
        kind = kind.item
    return kind.kind is Kind.OBJECT or KINDS[mask.kind].fits(kind, mask)


def made_for(mask: Mask) -> str:
    """What a mask is for, in words."""
    for_what = KINDS[mask.kind].for_what
    return for_what(mask) if for_what is not None else "every type"


def check_mask(mask: Mask, site: Site, mesh: Declared[Mesh], findings: Findings) -> None:
    """Record parameters of another kind, and those that are missing or contradict each other."""
    allowed = KINDS[mask.kind].parameters | {"kind", "otherwise"}
    for name in sorted(mask.model_fields_set - allowed):
        key = _spelled(name)
        findings.error("DM404", (site / key).key_span, f"'{mask.kind}' has no '{key}'", "Remove it.")
    if "key" in allowed and mask.key is None:
        hint = "Add 'key:' with a name of security.keys."
        findings.error("DM404", site, f"'{mask.kind}' needs a key", hint)
    elif "key" in allowed and mask.key is not None:
        check_declared(mask.key, "keys", mesh, site / "key", findings)
    if mask.kind == "generalise":
        _check_generalise(mask, site, findings)
    if mask.kind == "truncate-date" and mask.to is None:
        findings.error(
            "DM404", site, "'truncate-date' needs 'to'", "Add 'to: month', or year, quarter, week, day, hour."
        )


def _check_generalise(mask: Mask, site: Site, findings: Findings) -> None:
    if (mask.step is None) == (mask.groups is None):
        hint = "Add 'step: 10' for numbers, or 'groups: {EU: [DE, FR]}' for strings."
        findings.error("DM404", site, "'generalise' takes one of 'step' and 'groups'", hint)
    if mask.step is not None and mask.other is not None:
        findings.error("DM404", (site / "other").key_span, "'other' belongs to 'groups'", "Remove it.")
    seen: dict[str, str] = {}
    for name, texts in (mask.groups or {}).items():
        for index, text in enumerate(texts):
            first = seen.setdefault(text, name)
            if first != name:
                message = f"'{text}' stands in the groups '{first}' and '{name}'"
                findings.error("DM404", site / "groups" / name / index, message, "Leave it in one of them.")


def _spelled(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
