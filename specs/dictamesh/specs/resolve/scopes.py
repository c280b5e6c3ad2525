# SPDX-License-Identifier: Apache-2.0
"""What names mean in the expressions of a spec, and where in the file a fault of one stands (S1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dictamesh.specs.diagnostics import Findings, Located
from dictamesh.specs.documents import Scalar, Site
from dictamesh.specs.expressions import Missing, Problems, Scope, check
from dictamesh.specs.expressions.tree import Column, Expr
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


def checked(text: str, scope: Scope, wanted: Type | None, site: Site, findings: Findings, of: str = "") -> Expr | None:
    """Check an expression that stands at `site`; problems are recorded at their own place in the text."""
    try:
        return check(text, scope, wanted)
    except Problems as found:
        for problem in found.problems:
            message = problem.message + (f" ({of})" if of and problem.kind == "unknown-name" else "")
            findings.error(CODES[problem.kind], inside(site, problem.start, problem.end), message, problem.hint or "")
        return None


def inside(site: Site, start: int, end: int) -> Located:
    """The place of a part of a text value; the whole value where its lines or escapes hide the part."""
    node = site.document.find(site.path)
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return site.span
    source = site.document.source
    written = source.text[node.start : node.end]
    offset = 1 if written[:1] in {"'", '"'} else 0
    if written[offset : len(written) - offset] != node.value:
        return site.span
    first = node.start + offset
    return source.span(first + start, first + max(end, start + 1))


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
    seen: dict[tuple[str, str], Expr | None] = field(default_factory=dict)

    def check(self, text: str, entity: ResolvedEntity, site: Site, findings: Findings) -> Expr | None:
        key = (text, entity.address)
        if key not in self.seen:
            self.seen[key] = checked(text, self.scope(entity), BOOLEAN, site, findings, of=entity.address)
        return self.seen[key]

    def scope(self, entity: ResolvedEntity) -> Scope:
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
