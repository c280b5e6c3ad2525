# SPDX-License-Identifier: Apache-2.0
"""What names mean in the expressions of a spec, and where in the file a fault of one stands (S1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from dictamesh.specs.diagnostics import Findings, Located
from dictamesh.specs.documents import Scalar, Site
from dictamesh.specs.expressions import Missing, Problems, Scope, check
from dictamesh.specs.expressions.tree import Call, Column, Expr, Literal
from dictamesh.specs.model import Mesh
from dictamesh.specs.resolved import Link, ResolvedEntity
from dictamesh.specs.types import BOOLEAN, LONG, STRING, Kind, Type

CODES = {
    "syntax": "DM301",
    "too-large": "DM302",
    "unknown-name": "DM303",
    "unknown-function": "DM304",
    "type": "DM305",
    "not-allowed": "DM306",
}
CLAIM_TYPES = {"string": STRING, "integer": LONG, "boolean": BOOLEAN}
STRINGS = Type(Kind.ARRAY, item=STRING)


def checked(
    text: str,
    scope: Scope,
    wanted: Type | None,
    site: Site,
    findings: Findings,
    of: str = "",
    cure: Callable[[str, str | None], str | None] = lambda _name, hint: hint,
) -> Expr | None:
    """Check an expression that stands at `site`; problems are recorded at their own place in the text.

    `of` is the entity that an unknown name is looked for in; `cure` gives the hint for such a name, from the one found.
    No reference stands in an expression, so that `$${` in a text of it is `${` (S27).
    """
    try:
        return _unescaped(check(text, scope, wanted)) if "$${" in text else check(text, scope, wanted)
    except Problems as found:
        for problem in found.problems:
            message, hint = problem.message, problem.hint
            if problem.kind == "unknown-name":
                message += f" ({of})" if of else ""
                hint = cure(text[problem.start : problem.end].strip('"'), hint)
            findings.error(CODES[problem.kind], inside(site, problem.start, problem.end), message, hint)
        return None


def _unescaped(expr: Expr) -> Expr:
    if isinstance(expr, Literal) and isinstance(expr.value, str):
        return replace(expr, value=expr.value.replace("$${", "${"))
    if isinstance(expr, Call):
        return replace(expr, args=tuple(map(_unescaped, expr.args)))
    return expr


def inside(site: Site, start: int, end: int) -> Located:
    """The place of a part of a text value; the whole value where escapes hide the part."""
    node = site.document.find(site.path)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return site.span
    source = site.document.source
    places = _places(node.value, source.text[node.start : node.end])
    if places is None:
        return site.span
    part = [place for place in places[start : max(end, start + 1)] if place is not None]
    if not part:
        part = [place for place in places if place is not None][-1:] or [0]
    return source.span(node.start + part[0], node.start + part[-1] + 1)


def _places(value: str, written: str) -> list[int | None] | None:
    """Where each character of a value is written, None for blanks, which folding moves; None where escapes stand."""
    at, quote = 0, written[:1]
    if quote in {"|", ">"}:
        at = written.find("\n") + 1
    elif quote in {"'", '"'}:
        at = 1
    places: list[int | None] = []
    for character in value:
        if character.isspace():
            places.append(None)
            continue
        while at < len(written) and written[at].isspace():
            at += 1
        if at >= len(written) or written[at] != character:
            return None
        places.append(at)
        at += 2 if quote == character == "'" else 1
    return places


def claim_types(mesh: Mesh) -> Mapping[str, Type]:
    """The type of every `principal.` and `request.` name."""
    types: dict[str, Type] = {"principal.roles": STRINGS, "request.purpose": STRING}
    for claim, declared in (mesh.security.claims if mesh.security else {}).items():
        item = CLAIM_TYPES[declared if isinstance(declared, str) else declared[0]]
        types[f"principal.{claim}"] = item if isinstance(declared, str) else Type(Kind.ARRAY, item=item)
    return types


@dataclass(frozen=True)
class Conditions:
    """Checks `where` and `keep`: names are fields of the entity, to-one relations on the same server, the principal."""

    entities: Mapping[str, ResolvedEntity]
    links: Mapping[str, Mapping[str, Link]]
    parameters: Mapping[str, Type]
    seen: dict[tuple[str, str], Expr] = field(default_factory=dict)

    def check(self, text: str, entity: ResolvedEntity, site: Site, findings: Findings) -> Expr | None:
        """Check a condition on rows of an entity; None where it is faulty."""
        key = (text, entity.address)
        found = self.seen.get(key)
        if found is None:
            scope = self._scope(entity)
            found = checked(text, scope, BOOLEAN, site, findings, entity.address, partial(self._cure, entity))
            if found is not None:
                self.seen[key] = found
        return found

    def _cure(self, entity: ResolvedEntity, name: str, hint: str | None) -> str:
        link = self.links.get(entity.address, {}).get(name.partition(".")[0])
        if link is not None and link.many:
            return f"'{link.name}' leads to many rows; only to-one relations can be read here."
        if link is not None and self.entities[link.target].server.id != entity.server.id:
            return f"'{link.name}' leads to another server; only relations on the same server can be read here."
        if name.lower() in {"all", "none"}:
            return "Write 'all' or 'none' in small letters."
        return (
            hint
            or f"Names are the fields of each matched entity; leave {entity.address} out of 'match', or correct it."
        )

    def _scope(self, entity: ResolvedEntity) -> Scope:
        names = {
            name: Column((name,), each.type)
            for name, each in entity.fields.items()
            if each.type.kind is not Kind.OBJECT
        }
        return Scope(
            names=names, parameters=self.parameters, resolve=lambda path: self._over_relations(entity, path, 0)
        )

    def _over_relations(self, entity: ResolvedEntity, path: tuple[str, ...], part: int) -> Expr | Missing:
        links = {
            name: link
            for name, link in self.links.get(entity.address, {}).items()
            if not link.many and self.entities[link.target].server.id == entity.server.id
        }
        link = links.get(path[part])
        if link is None:
            return Missing(part, tuple(links))
        target = self.entities[link.target]
        if part + 2 < len(path):
            return self._over_relations(target, path, part + 1)
        found = target.fields.get(path[part + 1])
        if found is None or not found.type.scalar:
            return Missing(part + 1, tuple(name for name, each in target.fields.items() if each.type.scalar))
        return Column(path, found.type)
