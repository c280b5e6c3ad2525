# SPDX-License-Identifier: Apache-2.0
"""A route: path, parameters, bodies, faults and words in one value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.rest.faults import Code
from dictamesh.runtime.catalog.rest.parameters import Parameter
from dictamesh.runtime.catalog.sight import Sight

PREFIX = "/api/v1"
Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a route, read: ``values`` by name of the parameter, absent ones with their default."""

    catalog: Catalog
    sight: Sight
    trace_id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class AnyJson:
    """A body that the handler reads by itself: JSON of at most ``most`` bytes, whatever its content type says."""

    schema: Mapping[str, Any]
    most: int


@dataclass(frozen=True, slots=True)
class Route:
    """What ``method`` on ``path`` (below ``/api/v1``) does.

    ``answer`` is the type of the body of a success; ``body`` the model of the request's, read once ``admit`` did not
    raise. ``faults`` are codes of MC-13 besides those that every route may answer with. The first line of the handler's
    docstring is the summary.
    """

    method: Method
    path: str
    handler: Handler
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | AnyJson | None = None
    admit: Callable[[Call], None] = lambda _call: None
    status: int = 200
    faults: tuple[Code, ...] = ()
    tag: str = "catalog"

    @property
    def whole_path(self) -> str:
        return PREFIX + self.path

    @property
    def pattern(self) -> str:
        """The whole path as aiohttp matches it."""
        path = self.whole_path
        for each in self.parameters:
            if each.slashes:
                path = path.replace(f"{{{each.name}}}", f"{{{each.name}:.+}}")
        return path

    @property
    def name(self) -> str:
        """The operation's id: the handler's name."""
        return str(getattr(self.handler, "__name__", self.path))
