# SPDX-License-Identifier: Apache-2.0
"""Plain data to YAML text that reads back as the same data, by YAML 1.2 and by 1.1."""

from typing import Any

import yaml

from dictamesh.specs.documents.nodes import Plain
from dictamesh.specs.documents.scalars import NumberRangeError, resolve

WIDTH = 120
_BLOCK_AT_LEAST = 60  # characters of a text of several lines that is written as a block

Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Writer(Dumper):  # type: ignore[misc]  # the C class where it is there, else Python's
    """PyYAML's writer, without aliases, and with quotes around what YAML 1.2 would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def write(data: Plain) -> str:
    """The text of one document, keys in their order."""
    text: str = yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=WIDTH)
    return text


def _text(writer: Any, text: str) -> Any:
    style = None
    if "\n" in text and len(text) >= _BLOCK_AT_LEAST:
        style = "|"  # a hint: the writer quotes what no block can hold
    elif not _is_text(text):
        style = "'"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_text(text: str) -> bool:
    try:
        return resolve(text) == text
    except NumberRangeError:
        return False


_Writer.add_representer(str, _text)
