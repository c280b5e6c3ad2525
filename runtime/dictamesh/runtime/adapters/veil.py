# SPDX-License-Identifier: Apache-2.0
"""What stands in for a hidden key in an order: a digest that is as steady as the key and tells nothing of its rank."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dictamesh.specs.expressions import call, compile_python
from dictamesh.specs.expressions.tree import Column, Expr, Literal
from dictamesh.specs.types import STRING, Type


def veil(value: Expr, salt: str) -> Expr:
    """Return the digest of a value that is never NULL; sources and Python make the same one."""
    return call("md5", call("append", Literal(salt, STRING), value))


@lru_cache(maxsize=1024)
def veiled(name: str, type_: Type, salt: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that digests the field `name` of a row."""
    digest = compile_python(veil(Column((name,), type_), salt))
    return lambda row: digest(row, {})
