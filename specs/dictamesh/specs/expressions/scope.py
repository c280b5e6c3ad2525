# SPDX-License-Identifier: Apache-2.0
"""The names that an expression may use (S1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dictamesh.specs.expressions.tree import Expr, Parameter
from dictamesh.specs.types import Type


@dataclass(frozen=True, slots=True)
class Missing:
    """A path that leads nowhere: the index of its first unknown part and the names known at that place."""

    part: int
    known: tuple[str, ...] = ()


def _no_relations(_path: tuple[str, ...]) -> Expr | Missing:
    return Missing(0)


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean in one expression; they match exactly (S1).

    `names` maps a name without a qualifier to the tree it stands for; `groups` does so for the names behind a qualifier
    (`{"self": {"total": ...}}`); `parameters` maps a dotted name (`principal.countries`) to the type of its value. Any
    other dotted name goes to `resolve`, which knows the relations of the entity: it gets the parts and returns a tree
    or `Missing`.
    """

    names: Mapping[str, Expr] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Expr]] = field(default_factory=dict)
    parameters: Mapping[str, Type] = field(default_factory=dict)
    resolve: Callable[[tuple[str, ...]], Expr | Missing] = _no_relations

    def find(self, path: tuple[str, ...]) -> Expr | Missing:
        """Return the meaning of `path`, or where it breaks off."""
        if len(path) == 1:
            return self.names[path[0]] if path[0] in self.names else Missing(0, tuple(self.names))
        dotted = ".".join(path)
        if dotted in self.parameters:
            return Parameter(dotted, self.parameters[dotted])
        group = self.groups.get(path[0], {})
        if len(path) == 2 and path[1] in group:
            return group[path[1]]
        known = self._behind(path[0])
        if known:
            return Missing(1, known)
        found = self.resolve(path)
        if isinstance(found, Missing) and found.part == 0:
            return Missing(0, self._qualifiers() + found.known)
        return found

    def _behind(self, qualifier: str) -> tuple[str, ...]:
        bound = tuple(name.split(".", 1)[1] for name in self.parameters if name.split(".", 1)[0] == qualifier)
        return tuple(self.groups.get(qualifier, ())) + bound

    def _qualifiers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.groups, *(name.split(".", 1)[0] for name in self.parameters))))
