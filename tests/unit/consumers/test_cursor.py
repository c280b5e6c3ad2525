# SPDX-License-Identifier: Apache-2.0
"""Cursors: as long as the topic has partitions, telling nothing, fitting one topic of one mesh."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.consumers.cursor import Cursors
from dictamesh.runtime.consumers.hooks import signed, signing_key
from dictamesh.runtime.gateway.subscriptions.contract import BadCursor

CURSORS = Cursors(b"x" * 32, "mesh")
OFFSETS = st.dictionaries(st.integers(0, 11), st.integers(0, 2**63 - 1))


@given(OFFSETS)
def test_a_cursor_stands_for_its_offsets(offsets):
    opened = CURSORS.open("t", CURSORS.seal("t", 12, offsets))
    assert opened == {partition: offsets.get(partition, 0) for partition in range(12)}


@given(OFFSETS, OFFSETS)
def test_cursors_look_alike(one, other):
    first, second = CURSORS.seal("t", 12, one), CURSORS.seal("t", 12, other)
    assert len(first) == len(second)
    assert first != second


@given(st.text(max_size=400))
def test_whatever_else_comes_is_none(text):
    with pytest.raises(BadCursor):
        CURSORS.open("t", text)


@pytest.mark.parametrize(
    ("cursors", "topic"), [(CURSORS, "u"), (Cursors(b"x" * 32, "other"), "t"), (Cursors(b"y" * 32, "mesh"), "t")]
)
def test_a_cursor_fits_one_topic_of_one_mesh(cursors, topic):
    with pytest.raises(BadCursor):
        cursors.open(topic, CURSORS.seal("t", 12, {}))


def test_a_hook_is_signed_as_standard_webhooks_has_it():
    """The example of the specification's reference implementations."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signing_key("plain") == b"plain"
