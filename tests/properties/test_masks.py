# SPDX-License-Identifier: Apache-2.0
"""What holds of every mask, whatever the value (S19)."""

import string

from hypothesis import assume, given
from hypothesis import strategies as st

from dictamesh.runtime.governance.masks import REDACTED, mask, pseudonym
from dictamesh.specs.rules import MaskRule
from dictamesh.specs.types import STRING, Kind, Type

KEYS = {"pepper": b"a pepper of the tests"}
texts = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
keeps = st.integers(0, 12)
kinds = st.sampled_from(list(Kind))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
rules = st.one_of(
    st.sampled_from([MaskRule("redact"), MaskRule("nullify"), MaskRule("hmac", key="pepper", scope="acme")]),
    st.builds(lambda first, last: MaskRule("partial", keep_first=first, keep_last=last, char="*"), keeps, keeps),
)


@given(texts.filter(lambda text: text not in {"", REDACTED}))
def test_redact_and_hmac_never_return_what_they_got(text):
    assert mask(MaskRule("redact"), STRING, {})(text) == REDACTED
    made = mask(MaskRule("hmac", key="pepper", scope="acme"), STRING, KEYS)(text)
    assert made != text
    assert len(made) == 32
    assert set(made) <= set(string.hexdigits.lower())


@given(st.binary(min_size=1), texts, texts, st.text(max_size=5), st.text(max_size=5))
def test_pseudonyms_are_equal_for_equal_texts_only(key, one, other, scope, another):
    assert pseudonym(key, scope, one) == pseudonym(key, scope, one)
    assume("\x00" not in scope + another)
    if (scope, one) != (another, other):
        assert pseudonym(key, scope, one) != pseudonym(key, another, other)


@given(texts, keeps, keeps)
def test_partial_never_keeps_half_or_more(text, first, last):
    made = mask(MaskRule("partial", keep_first=first, keep_last=last, char="\ue000"), STRING, {})(text)
    assume("\ue000" not in text)
    assert len(made) == len(text)
    shown = [place for place, char in enumerate(made) if char != "\ue000"]
    assert len(shown) * 2 < len(text) or not text
    assert all(made[place] == text[place] for place in shown)
    assert all(place < first or place >= len(text) - last for place in shown)
    if (first + last) * 2 < len(text):
        assert len(shown) == first + last


@given(rules, anything, kinds.filter(lambda kind: kind is not Kind.STRING))
def test_what_is_no_string_becomes_null(rule, value, kind):
    assert mask(rule, Type(kind), KEYS)(value) is None


@given(rules, anything)
def test_a_string_mask_lets_no_other_value_through(rule, value):
    for type_ in (STRING, Type(Kind.STRING, values=("a", "b"))):
        made = mask(rule, type_, KEYS)(value)
        assert made is None or (isinstance(value, str) and isinstance(made, str) and not type_.values)


@given(rules, st.lists(st.none() | texts, max_size=5))
def test_lists_are_masked_by_element(rule, values):
    one = mask(rule, STRING, KEYS)
    assert mask(rule, Type(Kind.ARRAY, item=STRING), KEYS)(values) == [one(value) for value in values]
