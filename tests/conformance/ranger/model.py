# SPDX-License-Identifier: Apache-2.0
"""What the case files of Apache Ranger's policy engine say, as plain values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

ACCESS, MASK, FILTER = 0, 1, 2
"""The types of policies."""

Elements = Mapping[str, str]
"""A resource as a request names it: a value for each level, from the root down."""


class Reason(StrEnum):
    """Why a request is not judged; MAPPING.md explains each."""

    NO_FILE = "a file that is not here"
    LISTING = "a listing"
    TAG_EXPIRES = "a tag that expires"
    TOGETHER = "accessed together"
    ADDRESS = "address of the caller"
    BOTH = "allowed and denied"
    EMPTY_SCHEDULE = "an empty schedule"
    ANY_VALUES = "any access to values"
    CONDITIONAL = "conditional listing"
    CONTEXT = "context"
    EVERYBODY = "everybody in a listing"
    FILTER_EXPRESSION = "expression in a filter"
    RESOURCE_EXPRESSION = "expression in a resource"
    FILTER = "filter"
    BELOW_PATH = "levels below a path"
    ABOVE = "listing of what lies above"
    MASK = "mask"
    MASK_CONDITION = "mask condition"
    MATCHER = "matcher"
    LEVELS = "more than three levels"
    NO_REQUEST = "no request"
    NO_RESULT = "no result"
    OWNER_NAME = "owner in a name"
    PLACE = "place of the caller"
    RECURRING = "recurring times"
    REFUSED = "refused"
    SCRIPT = "script"
    SEVERAL = "several resources at once"
    ZONES = "several zones"
    TAG_BELOW = "tag of a descendant"
    TIME = "time of day"
    MANY_BELOW = "too many below"
    TWO_FILTERS = "two filters"
    TWO_MASKS = "two masks"
    UNREAD = "unread"
    UNREAD_CONDITION = "unread condition"


class Unsaid(Exception):  # noqa: N818 - what our language cannot say
    """A construct that is not translated, with the reason."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of resources, such as `database`; paths are levels whose values have levels of their own."""

    name: str
    path: bool
    ignore_case: bool = True
    wildcard: bool = True
    tokens: bool = True
    expressions: bool = True
    recursive: bool = False  # whether resources of zones reach below their paths
    separator: str = "/"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a policy says of one level."""

    level: Level
    values: tuple[str, ...]
    excludes: bool = False
    recursive: bool = False

    @property
    def any(self) -> bool:
        """Whether every value matches, and none being given matches too."""
        return self.level.wildcard and any(value and not value.strip("*") for value in self.values)


Resource = tuple[Pattern, ...]
"""A resource of a policy, from the root down without a gap."""


@dataclass(frozen=True, slots=True)
class ConditionDef:
    evaluator: str  # the class without its package
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Condition:
    kind: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """A service definition. `chains` are, by type of policy, the levels from each root to each leaf."""

    type: str
    chains: Mapping[int, tuple[tuple[Level, ...], ...]]
    implied: Mapping[str, frozenset[str]]  # each access type with those that it implies, itself too
    conditions: Mapping[str, ConditionDef]
    denies: bool = True  # whether denials and exceptions count

    def chain(self, names: frozenset[str], type_: int = ACCESS) -> tuple[Level, ...] | None:
        """The shortest chain that begins with exactly these levels; None where there is a gap."""
        fit = [chain for chain in self.chains[type_] if {each.name for each in chain[: len(names)]} == names]
        return min(fit, key=len)[: len(names)] if fit else None


@dataclass(frozen=True, slots=True)
class Item:
    """Whom an item of a policy is for, and what it gives: a mask as type and value, or a filter."""

    users: tuple[str, ...]
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    accesses: frozenset[str]
    conditions: tuple[Condition, ...] = ()
    mask: tuple[str, str | None] | None = None
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a policy is in force; `unsaid` is the reason why the dates alone do not tell."""

    start: datetime | None
    end: datetime | None
    unsaid: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    id: int
    type: int
    priority: int
    tag: bool
    zone: str
    resources: tuple[Resource, ...]
    allow: tuple[Item, ...] = ()
    deny: tuple[Item, ...] = ()
    not_allow: tuple[Item, ...] = ()
    not_deny: tuple[Item, ...] = ()
    gives: tuple[Item, ...] = ()  # the masks or the filters
    deny_all_else: bool = False
    conditions: tuple[Condition, ...] = ()
    schedules: tuple[Schedule, ...] = ()

    @property
    def items(self) -> Iterator[Item]:
        for items in (self.allow, self.deny, self.not_allow, self.not_deny, self.gives):
            yield from items


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag on a resource; `instance` tells tags of one type with different attributes apart."""

    type: str
    instance: str
    attributes: tuple[tuple[str, str], ...] = ()
    expires: bool = False


@dataclass(frozen=True, slots=True)
class Zone:
    name: str
    resources: tuple[Resource, ...]
    own_tags: bool  # whether policies on tags of the default zone do not count in it


@dataclass(frozen=True, slots=True)
class Share:
    """A resource that is shared, for what, and by which grants; of a row filter and masks as in the file."""

    id: int
    resource: Resource
    zone: str
    accesses: frozenset[str]
    conditional: bool
    filter: str | None
    masks: tuple[tuple[tuple[str, ...], tuple[str, str | None]], ...]
    grants: tuple["Grant", ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """A dataset or project with those who may use it while it is in force; `policy` is where it says so."""

    name: str
    project: bool
    policy: int
    item: Item
    schedules: tuple[Schedule, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A question. `access` None: any; `deny_below` tells whether denials of what lies below count."""

    elements: Elements
    owner: str | None
    access: str | None
    user: str | None
    groups: tuple[str, ...]
    roles: frozenset[str]
    scope: str = "SELF"
    element_scopes: Mapping[str, str] = field(default_factory=dict)
    deny_below: bool = False
    context: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[Tag, ...] | None = None
    when: datetime | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A request with what the file expects, by the file's own keys; `unsaid` is the reason why it is not judged."""

    name: str
    request: Request | None
    expected: Mapping[str, Any]
    unsaid: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that a file's questions are asked of."""

    service: Service
    tag_service: Service | None = None
    policies: tuple[Policy, ...] = ()
    zones: tuple[Zone, ...] = ()
    tagged: tuple[tuple[Resource, tuple[Tag, ...]], ...] = ()
    supers: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())  # users and groups
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A setting and its questions; a file has several where its policies change."""

    setting: Setting
    questions: tuple[Question, ...]
