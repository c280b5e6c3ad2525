# SPDX-License-Identifier: Apache-2.0
"""A record that was packed is read back as it was, whatever its source's driver gave."""

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.capture.contract import Seen
from dictamesh.runtime.capture.packing import Unpackable, packed, unpacked

texts = (
    st.text(max_size=20)
    | st.text(st.sampled_from("a\ud800\udc00"), max_size=5)
    | st.sampled_from(["$dictamesh", "text", "items"])
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@given(st.dictionaries(texts, values, max_size=5), st.booleans(), st.none() | st.datetimes(timezones=st.just(dt.UTC)))
def test_what_is_packed_is_read_back(columns: dict, deleted: bool, at: dt.datetime | None) -> None:
    seen = Seen(columns=columns, deleted=deleted, at=at, origin="orders 7", event_id="e-1")
    assert unpacked(packed(seen)) == seen


def test_what_is_no_number_stays_so() -> None:
    read = unpacked(packed(Seen(fields={"a": math.nan, "b": math.inf})))
    assert math.isnan(read.fields["a"])
    assert read.fields["b"] == math.inf


@given(
    st.binary(max_size=50)
    | st.sampled_from([b"[]", b"{}x", b'{"columns": {"$dictamesh": "os", "text": "x"}}', b'{"x":1}'])
)
def test_other_bytes_are_refused(body: bytes) -> None:
    if body == b"{}":
        return
    with pytest.raises(Unpackable):
        unpacked(body)
