# SPDX-License-Identifier: Apache-2.0
"""What a spec may say of a REST source, and what is found wrong with it."""

from typing import Any

import pytest
from pydantic import ValidationError

from dictamesh.connectors.rest import options
from dictamesh.connectors.rest.manifest import MANIFEST
from dictamesh.connectors.sdk import SecretMark, Source, SourceColumn
from dictamesh.specs import types

GOOD: dict[str, Any] = {"path": "/x"}


def source(options: dict[str, Any], key: tuple[str, ...] = ("id",)) -> Source:
    columns = tuple(SourceColumn(name, types.STRING) for name in ("id", "name"))
    return Source("a#B", "b", columns, key, MANIFEST.entity.model_validate(options))


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({}, ()),
        ({"list": {"path": "x"}}, ("list", "path")),
        ({"list": {"path": "/x?y=1"}}, ("list", "path")),
        ({"list": {"path": "/a/../b"}}, ("list", "path")),
        ({"list": {"path": "/x/{id}"}}, ("list", "path")),
        ({"get": {"path": "/x"}}, ("get", "path")),
        ({"get": {"path": "/x/{id}/{name}"}}, ("get", "path")),
        ({"batch": {"path": "/x", "query": {}}}, ("batch", "query")),
        ({"batch": {"path": "/x", "query": {"a": "{ids}", "b": "{ids}"}}}, ("batch", "query")),
        ({"list": GOOD, "lookup": {"name": {"path": "/x", "query": {"a": "{ids}"}}}}, ("lookup", "name", "query")),
        ({"list": GOOD, "lookup": {"nmae": {"path": "/x", "query": {"a": "{values}"}}}}, ("lookup", "nmae")),
        ({"list": {**GOOD, "filters": {"nmae": {"eq": "n"}}}}, ("list", "filters", "nmae")),
        ({"list": {**GOOD, "sort": {"param": "s", "columns": ["nmae"]}}}, ("list", "sort", "columns")),
        ({"list": {**GOOD, "query": {"limit": "-1"}, "paginate": {"kind": "offset"}}}, ("list", "query", "limit")),
        ({"list": {**GOOD, "query": {"n": "x"}, "filters": {"name": {"eq": "n"}}}}, ("list", "query", "n")),
    ],
)
def test_findings_name_their_place(given: dict[str, Any], at: tuple[str, ...]) -> None:
    found = MANIFEST.check(source(given))
    assert [place for place, _, _ in found] == [at]


def test_composite_keys_need_a_get() -> None:
    options = {"batch": {"path": "/x", "query": {"a": "{ids}"}}}
    assert [place for place, _, _ in MANIFEST.check(source(options, ("id", "name")))] == [("batch",)]
    assert MANIFEST.check(source({"get": {"path": "/x/{name}/{id}"}}, ("id", "name"))) == ()


def test_a_good_spec_has_no_findings() -> None:
    options = {
        "list": {**GOOD, "filters": {"name": {"eq": "n"}}, "paginate": {"kind": "page", "last": "pages"}},
        "get": {"path": "/x/{id}"},
        "batch": {"path": "/x", "query": {"ids": "{ids}"}},
        "lookup": {"name": {"path": "/x", "query": {"name": "{values}"}}},
    }
    assert MANIFEST.check(source(options)) == ()


@pytest.mark.parametrize(
    "given",
    [
        {"list": {"path": "/x", "paginate": {"kind": "page"}}},
        {"list": {"path": "/x", "paginate": {"kind": "page", "last": "a", "total": "b"}}},
        {"list": {"path": "/x", "paginate": {"kind": "cursor"}}},
        {"list": {"path": "/x", "filters": {"name": {"equals": "n"}}}},
        {"get": {"path": "/x/{id}", "notFound": [401]}},
        {"get": {"path": "/x/{id}", "notFound": [500]}},
        {"batch": {"path": "/x", "query": {}, "style": "pipes"}},
        {"lists": GOOD},
    ],
)
def test_options_that_mean_nothing_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MANIFEST.entity.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"url": "ftp://x"},
        {"url": "http://x", "auth": {"kind": "apiKey", "key": "k", "header": "a", "query": "b"}},
        {"url": "http://x", "auth": {"kind": "oauth"}},
        {"url": "http://x", "retries": 3},
    ],
)
def test_servers_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MANIFEST.server.model_validate(given)


def test_addresses_may_be_references() -> None:
    assert MANIFEST.base_url(MANIFEST.server.model_validate({"url": "${env:URL:-http://x}"})) == "${env:URL:-http://x}"


@pytest.mark.parametrize(
    ("auth", "word"),
    [
        ({"kind": "none"}, None),
        ({"kind": "basic", "username": "a", "password": "b"}, "basic"),
        ({"kind": "bearer", "token": "t"}, "bearer"),
        ({"kind": "apiKey", "key": "k"}, "api_key"),
    ],
)
def test_the_catalog_s_words(auth: dict[str, str], word: str | None) -> None:
    assert MANIFEST.auth_type(MANIFEST.server.model_validate({"url": "http://x", "auth": auth})) == word


def test_secrets_are_marked() -> None:
    forms = [options.BasicAuth, options.BearerAuth, options.ApiKeyAuth]
    marked = [name for form in forms for name, field in form.model_fields.items() if SecretMark() in field.metadata]
    assert marked == ["password", "token", "key"]


def test_capabilities_follow_the_options() -> None:
    offers = MANIFEST.capabilities(source({"list": {**GOOD, "paginate": {"kind": "offset", "maxLimit": 50}}}))
    assert (offers.get, offers.list, offers.batch_size, offers.max_page_size) == (False, True, 1, 50)
    offers = MANIFEST.capabilities(source({"batch": {"path": "/x", "query": {"a": "{ids}"}, "size": 30}}))
    assert (offers.get, offers.list, offers.batch_size, offers.lookups) == (True, False, 30, ())
    assert MANIFEST.path_template(source({"get": {"path": "/x/{id}"}})) == "/x/{id}"
    assert MANIFEST.path_template(source({"list": GOOD})) is None
