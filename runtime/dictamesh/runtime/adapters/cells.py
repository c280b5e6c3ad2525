# SPDX-License-Identifier: Apache-2.0
"""What a cell of a mapped row may hold in the place of a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
"""A mapped row: field name to a Python value of the field's type, None or a `CellError`. Shared with the cache: never
changed."""

Key = tuple[Any, ...]
"""Values of the key fields, or of the fields of one end of a relation, in their order."""


@dataclass(frozen=True, slots=True)
class CellError:
    """No value: `code` is one of S26. It may also stand within an object or a list."""

    code: str


DATA_INVALID = CellError("SOURCE_DATA_INVALID")
EXPRESSION_FAILED = CellError("EXPRESSION_FAILED")


class Invalid(ValueError):  # noqa: N818 - the state of a value, not a fault of the program
    """A source's value does not fit its declared type; the text holds no value (S4)."""
