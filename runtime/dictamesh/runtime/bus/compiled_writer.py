# SPDX-License-Identifier: Apache-2.0
"""The writer of `encoding.py` as one function of straight code, made of a topic's schema.

It knows what is usual and refuses all else, for the general writer to write or to say what is wrong. Bytes are built as
a text of Latin-1, a character each: joining texts is what Python does fastest. No text of a schema stands in the code,
which names them as constants.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from dictamesh.runtime.bus.encoding import Write, writer

Fast = Callable[[Any, str], str]
"""Returns a head and the encoding of a value after it, in Latin-1; raises one of REFUSED where that takes the other."""
REFUSED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEPT = 4096  # lists of names


def _number(value: int) -> str:
    """A number of 64 bits, zigzag, seven bits a character."""
    rest, out = (value << 1) ^ (value >> 63), []
    while rest > 0x7F:
        out.append(chr((rest & 0x7F) | 0x80))
        rest >>= 7
    return "".join([*out, chr(rest)])


_LENGTHS = tuple(_number(length) for length in range(4096))
_PAIRS = tuple(chr(number & 0x7F | 0x80) + chr(number >> 7 | 0x80) for number in range(1 << 14))
_ENDS = tuple(chr(rest) if rest < 0x80 else chr(rest & 0x7F | 0x80) + chr(rest >> 7) for rest in range(1 << 14))


def _whole(value: Any, bound: int) -> str:
    if type(value) is not int or not -bound <= value < bound:
        raise TypeError
    rest = (value << 1) ^ (value >> 63)
    if rest < 1 << 14:
        return _ENDS[rest]
    if rest < 1 << 28:
        return _PAIRS[rest & 0x3FFF] + _ENDS[rest >> 14]
    if rest < 1 << 42:
        return _PAIRS[rest & 0x3FFF] + _PAIRS[rest >> 14 & 0x3FFF] + _ENDS[rest >> 28]
    if rest < 1 << 56:
        return _PAIRS[rest & 0x3FFF] + _PAIRS[rest >> 14 & 0x3FFF] + _PAIRS[rest >> 28 & 0x3FFF] + _ENDS[rest >> 42]
    return _number(value)


def _latin(text: str) -> str:
    return text.encode().decode("latin-1")


def _texts(value: Any) -> str:
    """A list of nullable texts; one that holds null is left to the general writer."""
    if type(value) is not list:
        raise TypeError
    if not value:
        return "\0"
    if not "".join(value).isascii():
        value = [_latin(each) for each in value]
    return f"{_LENGTHS[len(value)]}{''.join([f'{chr(2)}{_LENGTHS[len(each)]}{each}' for each in value])}\0"


def _text_map(value: Any) -> str:
    if type(value) is not dict:
        raise TypeError
    if not value:
        return "\0"
    pairs = [text if text.isascii() else _latin(text) for pair in value.items() for text in pair]
    return f"{_LENGTHS[len(value)]}{''.join([f'{_LENGTHS[len(each)]}{each}' for each in pairs])}\0"


def _moment(value: Any) -> str:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    return _whole((found - _BEGINNING) // _MICROSECOND, 1 << 63)


def _general(write: Write) -> Callable[[Any], str]:
    def written(value: Any) -> str:
        out: list[bytes] = []
        write(value, out)
        return b"".join(out).decode("latin-1")

    return written


def _remembered(write: Write) -> Callable[[Any], str]:
    """Lists of names, of which a topic has few: those of changed fields."""
    known: dict[tuple[Any, ...], str] = {}
    make = _general(write)

    def written(value: Any) -> str:
        if type(value) is not list:
            raise TypeError
        key = tuple(value)
        found = known.get(key)
        if found is None:
            found = make(value)
            if len(known) >= _KEPT:
                known.clear()
            known[key] = found
        return found

    return written


@dataclass(slots=True)
class _Code:
    """Lines under way, and the constants that they name; `texts` are of values that must be text."""

    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    count: int = 0

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def variable(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def add(self, *lines: str) -> None:
        self.lines += (f"    {line}" for line in lines)


def fast_writer(schema: Mapping[str, Any]) -> Fast:
    """Return the function that writes records of a schema of ours; raises what `writer` raises."""
    code = _Code()
    texts: list[str] = []
    parts = _required(code, "value", schema, texts)
    names = ", ".join(texts)
    body = [
        "def write(value, head):",
        *code.lines,
        f"    if not join(({names},)).isascii():",
        f"        {names}, = map(latin, ({names},))",
        "    return f'{head}" + "".join(parts) + "'",
    ]
    scope = {**code.constants, **_SCOPE}
    exec("\n".join(body), scope)  # noqa: S102 - of numbered names alone, see above
    made: Fast = scope["write"]
    return made


def _required(code: _Code, value: str, schema: Mapping[str, Any], texts: list[str]) -> list[str]:
    """A record all of whose fields are there; its texts join `texts`, which are seen to at once."""
    fields = schema["fields"]
    variables = [code.variable() for _ in fields]
    take = code.constant(itemgetter(*(each["name"] for each in fields)))
    code.add(f"{', '.join(variables)}, = {take}({value})", f"if len({value}) != {len(fields)}: raise TypeError")
    parts = []
    for name, each in zip(variables, fields, strict=True):
        kind = each["type"]
        if _is_text(kind):
            texts.append(name)
            parts.append(f"{{L[len({name})]}}{{{name}}}")
        elif isinstance(kind, Mapping) and kind.get("type") == "record":
            parts += _required(code, name, kind, texts)
        elif each["name"] == "changed_fields":
            parts.append(f"{{{code.constant(_remembered(writer(kind)))}({name})}}")
        else:
            parts.append(_part(code, name, kind))
    return parts


def _part(code: _Code, name: str, kind: Any) -> str:
    """A value of another type, to the variable of the same name."""
    if isinstance(kind, list | tuple) and kind[0] == "null":
        _nullable(code, name, kind[1])
    elif isinstance(kind, Mapping) and kind["type"] in {"array", "map"}:
        empty = "[]" if kind["type"] == "array" else "{}"
        code.add(f"{name} = '\\0' if {name} == {empty} else {_expression(code, name, kind)}")
    else:
        code.add(f"{name} = {_expression(code, name, kind)}")
    return f"{{{name}}}"


def _nullable(code: _Code, name: str, kind: Any) -> None:
    code.add(f"if {name} is None: {name} = '\\0'")
    if _is_text(kind):
        code.add(
            "else:",
            f"    if not {name}.isascii(): {name} = latin({name})",
            f"    {name} = f'\\2{{L[len({name})]}}{{{name}}}'",
        )
    elif kind == "boolean":
        code.add(
            f"elif {name} is True: {name} = '\\2\\1'",
            f"elif {name} is False: {name} = '\\2\\0'",
            "else: raise TypeError",
        )
    else:
        code.add(f"else: {name} = '\\2' + {_expression(code, name, kind)}")


def _expression(code: _Code, name: str, kind: Any) -> str:
    plain = kind["type"] if isinstance(kind, Mapping) else kind
    logical = kind.get("logicalType") if isinstance(kind, Mapping) else None
    if plain == "enum":
        return f"{code.constant({each: _number(place) for place, each in enumerate(kind['symbols'])})}[{name}]"
    if plain in _BOUNDS and logical in {None, "timestamp-millis"}:
        return f"whole({name}, {_BOUNDS[plain]})"
    if logical == "timestamp-micros":
        return f"moment({name})"
    if plain == "array" and tuple(kind["items"]) == ("null", "string"):
        return f"texts({name})"
    if plain == "map" and _is_text(kind["values"]):
        return f"text_map({name})"
    if plain == "record" and all(isinstance(each["type"], list | tuple) for each in kind["fields"]):
        return f"{code.constant(_optional(kind))}({name})"
    return f"{code.constant(_general(writer(kind)))}({name})"


def _optional(schema: Mapping[str, Any]) -> Callable[[Any], str]:
    """A record whose fields may all be lacking, which is as if they were null."""
    code = _Code()
    parts = []
    known = code.constant(frozenset(each["name"] for each in schema["fields"]))
    code.add(f"if not value.keys() <= {known}: raise TypeError", "get = value.get")
    for each in schema["fields"]:
        name = code.variable()
        code.add(f"{name} = get({code.constant(each['name'])})")
        parts.append(_part(code, name, each["type"]))
    scope = {**code.constants, **_SCOPE}
    body = ["def write(value):", *code.lines, "    return f'" + "".join(parts) + "'"]
    exec("\n".join(body), scope)  # noqa: S102 - as above
    made: Callable[[Any], str] = scope["write"]
    return made


def _is_text(kind: Any) -> bool:
    return kind == "string" or (isinstance(kind, Mapping) and kind["type"] == "string")


_BOUNDS = {"int": 1 << 31, "long": 1 << 63}
_SCOPE: Mapping[str, Any] = {
    "L": _LENGTHS,
    "join": "".join,
    "latin": _latin,
    "whole": _whole,
    "texts": _texts,
    "text_map": _text_map,
    "moment": _moment,
}
