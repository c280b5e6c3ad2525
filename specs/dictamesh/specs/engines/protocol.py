# SPDX-License-Identifier: Apache-2.0
"""What an engine is: texts in, decisions out. The public contract of the entry-point group `dictamesh.policies`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from dictamesh.specs.rules import Audience, Effect, Resource, Scope

ClaimScalar: TypeAlias = str | int | bool
MentionKind: TypeAlias = Literal["role", "purpose", "claim", "tag"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as a decision may depend on it; there is no name, so that equal rights mean equal decisions.

    `purpose` is the one in force, None for none. `claims` hold declared claims of the declared type only; lists are
    tuples, and one that the caller lacks is not there.
    """

    authenticated: bool
    roles: frozenset[str] = frozenset()
    purpose: str | None = None
    claims: Mapping[str, ClaimScalar | tuple[ClaimScalar, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`Effect.ALLOW` or `Effect.DENY`, and the name of what in the text says so, for audit and `policy explain`."""

    effect: Effect
    rule: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A name that stands in a text; `validate` refuses one that mesh file or taxonomy do not declare."""

    kind: MentionKind
    name: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text cannot decide, and what to do; shown as a diagnostic at the text."""

    message: str
    hint: str = "Correct the text."


@dataclass(frozen=True, slots=True)
class Refused:
    """What became of a text that cannot decide; one problem at least."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A text that can decide.

    `judge` says what the text says of one field to one caller; None is silence, where nothing in the text applies. It
    is pure - the same caller and field give the same verdict, whatever was asked before, on any thread - and ends
    within a time that the text alone bounds. It should not raise: what raises, and any answer that is neither a
    `Verdict` of allow or deny nor None, denies, and is told in `policy explain` and in the log.

    `audiences` name whatever the text can tell callers apart by: for every caller there is one who holds nothing
    but roles, a purpose and values of claims that they name, and gets the same verdict (of a number that is a bound,
    name its neighbours as well). `diff` compares what an edit comes to by them; one too few hides a change, one too
    many costs time only.

    `mentions` are the roles, purposes, claims and tags that the text names.
    """

    judge: Callable[[Caller, Resource], Verdict | None]
    audiences: tuple[Audience, ...]
    mentions: tuple[Mention, ...] = ()


class Engine(Protocol):
    """An engine, as an entry point of the group `dictamesh.policies` names it; the entry point's name is `name`.

    An engine decides on fields, for allow and deny. It combines with every other policy by S14: its deny is the
    strictest there is, its allow opens nothing that another policy masks or denies, and where its policy names neither
    tag, tier nor field it opens nothing confidential (S16).
    """

    @property
    def name(self) -> str:
        """What `engine:` of a policy says: letters, digits, `.`, `_` and `-`."""

    @property
    def title(self) -> str:
        """The name for people, as diagnostics write it."""

    def compile(self, text: str, scope: Scope) -> Compiled | Refused:
        """Read a text, of 16,384 characters at most.

        `scope` says what the mesh declares: claims with their types, roles, purposes, tags. Pure: it reads no file, no
        clock and no network, for `validate` and `diff` call it, as a running mesh does; and it ends within a time that
        the length of the text bounds. Whatever would make a decision fail later is refused here.
        """
