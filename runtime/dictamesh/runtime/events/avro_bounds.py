# SPDX-License-Identifier: Apache-2.0
"""How much a stranger's Avro datum holds, found before it is read (Avro 1.12, binary encoding).

fastavro trusts what it reads: 5 kB by a schema that refers to itself overflow its stack and end the process, 5 bytes
tell of a billion nulls. What is here walks over a datum and makes nothing of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 64
MOST_PARTS = 1_000_000
_SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_NAMED = frozenset({"record", "error", "enum", "fixed"})


class Excessive(ValueError):  # noqa: N818 - the state of a datum
    """A datum nests deeper, or has more parts, than anybody may send."""


class Broken(ValueError):  # noqa: N818 - likewise
    """A datum is not one of its schema."""


class Bounds:
    """Looks over the data of one schema, as `fastavro.parse_schema` gives it: all names in full.

    Making it raises what `parse_schema` does not refuse: RecursionError, LookupError, TypeError.
    """

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._names = {str(each["name"]): each for each in _named(schema)}

    def check(self, data: bytes, at: int) -> None:
        """See that what is from a place on may be read; raises Excessive, Broken."""
        try:
            _Walk(data, at, self._names).over(self._schema, 0)
        except (LookupError, TypeError):
            raise Broken from None


@dataclass(slots=True)
class _Walk:
    data: bytes
    at: int
    names: Mapping[str, Any]
    parts: int = 0

    def over(self, kind: Any, depth: int) -> None:
        self.parts += 1
        if self.parts > MOST_PARTS or depth > DEEPEST:
            raise Excessive
        if isinstance(kind, list):
            self.over(kind[self._place(len(kind))], depth)
            return
        word = kind["type"] if isinstance(kind, dict) else kind
        if not isinstance(word, str):
            self.over(word, depth)
        elif word in _SIZES:
            self._pass(_SIZES[word])
        elif word in {"int", "long"}:
            self._number()
        elif word in {"bytes", "string"}:
            self._pass(self._number())
        elif isinstance(kind, str):
            self.over(self.names[kind], depth)
        else:
            self._made(word, kind, depth)

    def _made(self, word: str, kind: Mapping[str, Any], depth: int) -> None:
        match word:
            case "array":
                self._blocks((kind["items"],), depth)
            case "map":
                self._blocks(("string", kind["values"]), depth)
            case "enum":
                self._place(len(kind["symbols"]))
            case "fixed":
                self._pass(kind["size"])
            case _:
                for each in kind["fields"]:
                    self.over(each["type"], depth + 1)

    def _blocks(self, kinds: tuple[Any, ...], depth: int) -> None:
        while count := self._number():
            if count < 0:
                count = -count
                self._number()  # bytes of the block
            if count > len(self.data):  # of items that take no byte
                raise Excessive
            for _ in range(count):
                for each in kinds:
                    self.over(each, depth + 1)

    def _place(self, count: int) -> int:
        found = self._number()
        if not 0 <= found < count:
            raise Broken
        return found

    def _number(self) -> int:
        found = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)
            shift += 7
            if shift > 63:
                raise Broken

    def _pass(self, size: int) -> None:
        if size < 0 or self.at + size > len(self.data):
            raise Broken
        self.at += size


def _named(kind: Any) -> Iterator[Mapping[str, Any]]:
    """Every named type that a schema declares."""
    if isinstance(kind, list):
        for each in kind:
            yield from _named(each)
    elif isinstance(kind, dict) and isinstance(kind["type"], str):
        if kind["type"] in _NAMED:
            yield kind
        for each in (*(kind.get(name) for name in ("items", "values")), *(at["type"] for at in kind.get("fields", ()))):
            yield from _named(each)
    elif isinstance(kind, dict):
        yield from _named(kind["type"])
