# SPDX-License-Identifier: Apache-2.0
"""Whether a body names somebody, however it is written."""

import json

import pytest

from dictamesh.runtime.capture.contract import Seen
from dictamesh.runtime.capture.messages import Message
from dictamesh.runtime.capture.packing import packed
from dictamesh.runtime.events.mentions import mentions

ROW = {"buyer": {"id": "c-7", "n": 17, "ratio": 1.5, "ok": True, "none": None}, "list": ["see c-7, please", 42]}


@pytest.mark.parametrize("text", ["c-7", "17", "42", "1.5", "buyer"])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ROW).encode(),
        packed(Seen(columns=ROW)),
        Message(b"k", json.dumps(ROW).encode(), "t/0/1").packed(),
        json.dumps(ROW).encode()[:-1],
    ],
    ids=["json", "packed", "message", "broken"],
)
def test_what_is_named_is_found(body: bytes, text: str) -> None:
    assert mentions(body, text)


@pytest.mark.parametrize("text", ["c-77", "7x", "4", "True", "none of it"])
def test_what_is_not_named_is_not(text: str) -> None:
    assert not mentions(json.dumps(ROW).encode(), text)


def test_escapes_and_bytes_are_read() -> None:
    assert mentions(b'{"a": "J\\u00fcrgen"}', "Jürgen")
    assert mentions(packed(Seen(columns={"raw": "Jürgen".encode(), "half": "\ud800 c-7"})), "Jürgen")
    assert mentions(packed(Seen(columns={"half": "\ud800 c-7"})), "c-7")
    assert mentions(b"\x00\x00\x01\x06c-7\xff", "c-7")
    assert not mentions(b"", "c-7")
