# SPDX-License-Identifier: Apache-2.0
"""Products and contracts, whatever stands in them: exports are valid, and nothing is lost either way."""

import copy
import os
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import read_file, write
from dictamesh.specs.model import Contract, Product
from dictamesh.specs.odcs.exporting import to_contract
from dictamesh.specs.odcs.faults import faults
from dictamesh.specs.odcs.importing import to_product
from dictamesh.specs.odcs.keeping import same
from tests.support.contracts import complaints
from tests.support.random_documents import JSON, SCALARS, WORDS, documents

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
EXAMPLES = int(os.environ.get("DICTAMESH_TEST_EXAMPLES", "200"))
PROFILE = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET)


def accepted(model: type[Contract], data: dict[str, Any]) -> bool:
    try:
        model.model_validate(data, by_alias=True, by_name=False)
    except ValidationError:
        return False
    return True


def claims(data: Any, name: str) -> bool:
    """Whether a custom property claims to be of an import or export that the data never went through."""
    if isinstance(data, dict):
        return data.get("property") == name or any(claims(each, name) for each in data.values())
    return isinstance(data, list) and any(claims(each, name) for each in data)


def goes_out_and_comes_in(product: dict[str, Any]) -> None:
    before = copy.deepcopy(product)
    contract = to_contract(product).contract
    assert same(product, before)
    assert complaints(contract) == []
    back = to_product(contract, "any")
    assert same(back.product, product), (back.product, contract)
    assert back.lost == ()


@PROFILE
@given(documents(Product))
def test_a_product_goes_out_valid_and_comes_in_as_it_was(product: dict[str, Any]) -> None:
    assume(accepted(Product, product) and not claims(product, "odcs"))
    goes_out_and_comes_in(product)


@PROFILE
@given(documents(Contract))
def test_a_contract_of_the_language_does_so_too(product: dict[str, Any]) -> None:
    assume(accepted(Contract, product) and not claims(product, "odcs"))
    goes_out_and_comes_in(product)


@PROFILE
@given(documents(Product))
def test_what_is_written_reads_back(product: dict[str, Any]) -> None:
    findings = Findings()
    _, found = read_file("x", write(product).encode(), findings)
    assert list(findings) == []
    assert same(found[0].plain(), product)


OWN = st.fixed_dictionaries({"property": WORDS, "value": JSON})
ANYWHERE: dict[str, st.SearchStrategy[Any]] = {
    "customProperties": st.lists(OWN, max_size=2),
    "tags": st.lists(WORDS, max_size=2),
    "id": st.sampled_from(["a", "b"]),
}
AT_ROOT: dict[str, st.SearchStrategy[Any]] = {
    **ANYWHERE,
    "context": st.just("ask the team") | st.just({"instructions": "x"}),
    "description": st.just({"purpose": "x", "more": {"a": 1}, "/odd~": None}),
    "status": st.sampled_from(["in development", "production", "active"]),
    "name": st.sampled_from(["Orders of 2024", "orders", "Größe", "x/y"]),
    "team": st.just([{"username": "ana", "dateIn": "2020-01-01"}]) | st.just({"members": [], "tags": ["x"]}),
}
IN_SCHEMA: dict[str, st.SearchStrategy[Any]] = {
    **ANYWHERE,
    "synonyms": st.just([{"synonym": "sale"}]),
    "semanticType": st.sampled_from(["column", "measure"]),
    "enum": st.just([{"value": "a", "label": "A"}, {"value": 1}]),
    "logicalType": st.sampled_from(["map", "string", "timestamp"]),
    "map": st.just({"key": {"logicalType": "string"}, "value": {"logicalType": "integer", "enum": [{"value": 1}]}}),
    "relationships": st.just([{"to": "a.b"}]),
    "quality": st.just([{"rule": "duplicateCount", "mustBe": 0}])
    | st.just([{"type": "text"}, {"metric": "rowCount", "mustBe": 1}]),
}


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    """A contract: what an export keeps taken out, words of other versions and facts of others written in anywhere."""
    product = draw(documents(Contract, depth=2))
    assume(accepted(Contract, product))
    contract: dict[str, Any] = copy.deepcopy(to_contract(product).contract)
    for mapping in _mappings(contract):
        given = mapping.get("customProperties")
        if isinstance(given, list):
            mapping["customProperties"] = [each for each in given if each["property"] != "dictamesh"]
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 3]))):
        _edit(draw, contract)
    return contract


def _edit(draw: st.DrawFn, contract: dict[str, Any]) -> None:
    target = draw(st.sampled_from([contract, *_mappings(contract.get("schema"))]))
    words = AT_ROOT if target is contract else IN_SCHEMA if "name" in target else ANYWHERE
    key = draw(st.sampled_from(sorted(words)))
    if draw(st.integers(0, 9)) == 0:
        key = draw(WORDS)
    if draw(st.integers(0, 5)) == 0 and key in target:
        del target[key]
    else:
        target[key] = copy.deepcopy(draw(words.get(key, SCALARS)))


def _mappings(value: Any) -> list[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else []), *(found for each in inner for found in _mappings(each))]


@PROFILE
@given(contracts())
def test_our_faults_and_the_library_agree(contract: dict[str, Any]) -> None:
    for version in ("v3.0.2", "v3.1.0"):
        assert bool(faults(version, contract)) == bool(complaints(contract, version)), version
    assert bool(faults("v3.2.0", contract)) == bool(complaints(contract, "v3.2.0-dev"))


@PROFILE
@given(contracts(), st.sampled_from(["v3.0.0", "v3.0.2", "v3.1.0", "v3.2.0"]))
def test_a_contract_comes_in_and_goes_out_as_it_was(contract: dict[str, Any], version: str) -> None:
    assume(not faults(version, contract))
    before = copy.deepcopy(contract)
    imported = to_product(contract, "file name")
    assert same(contract, before)
    product = imported.product
    assert accepted(Product if "source" in product else Contract, product)
    out = to_contract(product).contract
    assert complaints(out) == []
    assert same(to_product(out, "file name").product, product)
    ours = claims(contract, "dictamesh") or isinstance(contract.get("team"), list) or _old_rules(contract)
    if not complaints(contract) and not ours:
        assert same(out, {**contract, "apiVersion": "v3.1.0"}), out


def _old_rules(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("rule") in {"duplicateCount", "nullCheck"} or any(map(_old_rules, value.values()))
    return isinstance(value, list) and any(map(_old_rules, value))
