# SPDX-License-Identifier: Apache-2.0
"""Accept headers, cross-origin headers and the writing of answers."""

import json
from decimal import Decimal

import pytest

from dictamesh.runtime.gateway.cors import headers, preflight
from dictamesh.runtime.gateway.page import page
from dictamesh.runtime.gateway.requests import GRAPHQL, JSON, media_type, wants_page
from dictamesh.runtime.gateway.writing import write
from dictamesh.specs.model.mesh import Cors


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.5, {GRAPHQL};q=0.9", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{GRAPHQL};charset=utf-8", GRAPHQL),
        ("text/html", None),
        ("text/html, */*;q=0.1", JSON),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nonsense", None),
        ("APPLICATION/JSON", JSON),
        ("," * 1000, None),
    ],
)
def test_the_media_type_of_the_answer(accept, answer):
    assert media_type(accept) == answer


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [(None, False), ("*/*", False), ("text/html,application/xhtml+xml,*/*;q=0.8", True), ("text/html;q=0", False)],
)
def test_the_page_is_for_browsers(accept, wanted):
    assert wants_page(accept) is wanted


def test_no_origin_is_allowed_by_default():
    assert headers(Cors(), "https://a.example") == {}
    assert preflight(Cors(), "https://a.example") == {}


def test_a_named_origin_is_allowed_and_no_other():
    settings = Cors(origins=("https://a.example",), credentials=True, max_age=60.0)
    allowed = preflight(settings, "https://a.example")
    assert allowed["Access-Control-Allow-Origin"] == "https://a.example"
    assert allowed["Access-Control-Allow-Credentials"] == "true"
    assert allowed["Access-Control-Max-Age"] == "60"
    assert "X-Purpose" in allowed["Access-Control-Allow-Headers"]
    assert allowed["Vary"] == "Origin"
    for other in ("https://b.example", "https://a.example.evil", "null", None):
        assert preflight(settings, other) == {"Vary": "Origin"}


def test_every_origin_is_allowed_only_without_credentials():
    answer = headers(Cors(origins=("*",), credentials=True), "https://b.example")
    assert answer == {"Vary": "Origin", "Access-Control-Allow-Origin": "*"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"a": 2**80}, {"a": 2**80}),
        ({"a": "\ud800"}, {"a": "\ud800"}),
        ({"a": float("inf")}, {"a": None}),
        ({"a": [float("nan"), 2**80]}, {"a": [None, 2**80]}),
        ({"a": "ä🏃"}, {"a": "ä🏃"}),
    ],
)
def test_whatever_a_source_holds_is_written_as_json(value, read):
    assert json.loads(write(value)) == read


def test_what_cannot_be_written_is_not_quoted():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    for value in (Decimal("123.45"), deep):
        with pytest.raises(ValueError, match="cannot be written") as caught:
            write({"a": value})
        assert caught.value.__context__ is None
    while deep:
        deep = deep[0]


def test_the_page_loads_nothing_and_is_held_to_that():
    text = page().body.decode()
    policy = dict(page().headers)["Content-Security-Policy"]
    assert "http://" not in text
    assert "https://" not in text
    assert " style=" not in text
    assert " onclick=" not in text
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 2
    assert "frame-ancestors 'none'" in policy
