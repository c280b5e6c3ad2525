# SPDX-License-Identifier: Apache-2.0
"""What execution hands to an engine: objects whose fields are fetched, masked and typed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """In the place of a value: the field becomes null and one error stands at its path.

    `code` is one of S26. `message` is one of our own, without any value of a source; None: the message of the table.
    """

    code: str
    message: str | None = None


@dataclass(slots=True)
class Node:
    """An object of the answer; the root is one too.

    `values` is keyed by response key (alias, else field name), never by field name. A value is None, a `FieldError`, a
    `Node`, a list of these, or the Python value that `dictamesh.specs.types.Kind` names for the field's type: str,
    bytes, int, float, Decimal (rounded to its scale), bool, date, time, aware datetime in UTC, for enumerations the
    source text, for JSON whatever JSON can hold. Nested objects of a row are Nodes too. Fields that begin with `__` are
    the engine's own and need no value. A missing response key is null.
    """

    values: dict[str, Any] = field(default_factory=dict)
