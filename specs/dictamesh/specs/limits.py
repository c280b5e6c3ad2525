# SPDX-License-Identifier: Apache-2.0
"""What the contract says of values beyond their type: the limits of ODCS's `logicalTypeOptions`, typed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Limit(StrEnum):
    """A limit in ODCS's words; the comment names the Python type of its operand."""

    MIN_LENGTH = "minLength"  # int, of characters; of bytes where the value is bytes
    MAX_LENGTH = "maxLength"  # int
    PATTERN = "pattern"  # str, an RE2 expression that is found somewhere in the text
    MINIMUM = "minimum"  # Decimal, float where the values are, date, time or datetime
    MAXIMUM = "maximum"
    EXCLUSIVE_MINIMUM = "exclusiveMinimum"
    EXCLUSIVE_MAXIMUM = "exclusiveMaximum"
    MULTIPLE_OF = "multipleOf"  # Decimal above zero
    MIN_ITEMS = "minItems"  # int
    MAX_ITEMS = "maxItems"  # int
    UNIQUE_ITEMS = "uniqueItems"  # True
    MIN_PROPERTIES = "minProperties"  # int, of those that are not null
    MAX_PROPERTIES = "maxProperties"  # int
    REQUIRED = "required"  # tuple of names: properties of the object that are not null


@dataclass(frozen=True, slots=True)
class Limited:
    """A limit of a field's value, or of what it holds: `depth` says how many arrays lie around the limited value.

    NULL breaks no limit; that a field has a value is said by `required` of the property.
    """

    limit: Limit
    operand: Any
    depth: int = 0
