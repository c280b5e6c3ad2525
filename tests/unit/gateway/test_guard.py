# SPDX-License-Identifier: Apache-2.0
"""From text to operation: what is refused, with which code and which words (S9, S10, S22)."""

import tracemalloc

import pytest
from graphql import get_introspection_query

from dictamesh.runtime.gateway.errors import GatewayError, Refused
from dictamesh.runtime.gateway.guard import CACHED_TOKENS, Guard, only_introspects
from dictamesh.runtime.gateway.schema import build_schema
from tests.support.plans import every_type, plan, shop

ENTITIES = (*shop(), every_type())


def guard(**settings):
    one = plan(*ENTITIES, gateway=settings)
    return Guard(build_schema(one), one.mesh.gateway)


GUARD = guard()


def refused(text, variables=None, name=None, by=GUARD):
    with pytest.raises(GatewayError) as caught:
        by.prepare(text, variables, name)
    return caught.value


def test_a_prepared_operation_holds_what_execution_needs():
    text = """query Q($n: Int = 3, $s: InvoiceStatus, $absent: Int) {
      invoices(limit: $n, offset: $absent, filter: {status: {eq: $s}}) { ...F } } fragment F on Invoice { id }"""
    operation = GUARD.prepare(text, {"s": "written_off", "extra": 1}, "Q")
    assert operation.variables == {"n": 3, "s": "written off"}
    assert operation.operation_name == "Q"
    assert set(operation.fragments) == {"F"}
    assert operation.limits.limit == 100


@pytest.mark.parametrize(
    "text", ["", "{", "{ a(b: ) }", "query", "}", "{ a } trailing", '{ a(b: "open) }', "# nothing"]
)
def test_texts_that_are_not_graphql(text):
    error = refused(text)
    assert error.code == "PARSE_FAILED"
    assert isinstance(error, Refused)
    assert error.entries[0].locations


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{ nope }", "Cannot query field 'nope'"),
        ("{ customer { id } }", "required"),
        ("{ customers { id ...F } } fragment F on Invoice { id }", "can never be of type"),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "spreads itself"),
        ("{ ...A } fragment A on Query { ...A }", "spreads itself"),
        ("{ ...Nope }", "Unknown fragment"),
        ("{ a: customersCount a: invoicesCount }", "conflict"),
        ("mutation { customer(id: 1) { id } }", "mutation"),
        ("subscription { customersCount }", "subscription"),
        ("query A { customersCount } query B { customersCount }", "operationName"),
        ("{ customers(limit: 1.5) { id } }", "Int"),
        ("{ customers(limit: " + "9" * 5000 + ") { id } }", "Int"),
        ("{ customers(filter: {createdAt: {gt: 1}}) { id } }", "DateTime"),
        ('{ customers(filter: {name: {lk: "x"}}) { id } }', "lk"),
        ('{ samples(filter: {flag: {like: "x"}}) { shard } }', "like"),
        ("fragment F on Customer { id }", "never used"),
    ],
)
def test_invalid_documents(text, words):
    error = refused(text)
    assert error.code == "VALIDATION_ERROR"
    assert words in error.message


def test_an_operation_name_that_is_not_there_is_not_repeated():
    error = refused("query A { customersCount }", name="SECRET")
    assert error.code == "VALIDATION_ERROR"
    assert "SECRET" not in error.message


def test_the_number_of_errors_is_bounded():
    error = refused("{" + " ".join(f"nope{i}" for i in range(1500)) + "}")
    assert len(error.entries) <= 11


# --- arguments (S9, S10)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("limit: 1001", "LIMIT_EXCEEDED", "customers: limit is at most 1000"),
        ("limit: -1", "VALIDATION_ERROR", "limit is 0 or more"),
        ("offset: 10001", "LIMIT_EXCEEDED", "offset is at most 10000"),
        ("offset: -1", "VALIDATION_ERROR", "offset is 0 or more"),
        ("filter: {name: {eq: null}}", "VALIDATION_ERROR", "use isNull"),
        ("filter: {name: null}", "VALIDATION_ERROR", "use isNull"),
        ("filter: {and: null}", "VALIDATION_ERROR", "use isNull"),
        ("filter: {not: {or: [{name: {in: null}}]}}", "VALIDATION_ERROR", "use isNull"),
        ("filter: {name: {isNull: null}}", "VALIDATION_ERROR", "use isNull"),
        ("orderBy: [{name: ASC, id: DESC}]", "VALIDATION_ERROR", "names one field"),
        ("orderBy: [{}]", "VALIDATION_ERROR", "names one field"),
        ("orderBy: [{name: null}]", "VALIDATION_ERROR", "ASC or DESC"),
        ('filter: {name: {like: "' + "x" * 257 + '"}}', "LIMIT_EXCEEDED", "like pattern"),
        ('filter: {name: {like: "' + "%_" * 5 + '"}}', "LIMIT_EXCEEDED", "like pattern"),
    ],
)
def test_arguments_of_a_list(arguments, code, words):
    error = refused(f"{{ customers({arguments}) {{ id }} }}")
    assert error.code == code
    assert words in error.message


def test_the_arguments_of_relations_counts_and_variables_are_checked_too():
    assert refused("{ customers { invoices(limit: 1001) { id } } }").message.startswith("customers.invoices: limit")
    assert refused("{ n: customersCount(filter: {name: {eq: null}}) }").message.startswith("n: null")
    text = "query($f: CustomerFilter, $l: Int) { customers(filter: $f, limit: $l) { id } }"
    assert refused(text, {"l": 1001}).code == "LIMIT_EXCEEDED"
    assert refused(text, {"f": {"name": {"eq": None}}}).code == "VALIDATION_ERROR"
    assert refused(text, {"f": {"id": {"in": ["x"] * 1001}}}).code == "LIMIT_EXCEEDED"
    assert GUARD.prepare(text, {"f": {"id": {"in": ["x"] * 1000}}, "l": None})
    assert refused(text, {"f": {"or": [{"id": {"eq": "x"}}] * 251}}).code == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    "arguments",
    [
        "limit: 0",
        "limit: 1000, offset: 10000",
        "filter: null, limit: null, offset: null, orderBy: null",
        "filter: {}",
        "filter: {or: [], and: []}",
        "filter: {id: {in: []}}",
        "orderBy: []",
        "orderBy: [{name: ASC}, {id: DESC}]",
        'filter: {name: {like: "%a_b%", ne: "x"}, not: {createdAt: {isNull: true}}}',
        "orderBy: {name: ASC}",
    ],
)
def test_arguments_that_are_fine(arguments):
    assert GUARD.prepare(f"{{ customers({arguments}) {{ id }} }}")


def test_conditions_over_a_to_one_relation():
    assert GUARD.prepare('{ invoices(filter: {customer: {name: {eq: "x"}}}) { id } }')
    assert refused("{ invoices(filter: {customer: {name: {eq: null}}}) { id } }").code == "VALIDATION_ERROR"
    assert "CustomerRelationFilter" in refused("{ invoices(filter: {customer: {and: []}}) { id } }").message


# --- variables


@pytest.mark.parametrize(
    ("declared", "sent", "place"),
    [
        ("Int!", "SECRET", "$v"),
        ("Int!", None, "$v"),
        ("InvoiceFilter", {"total": {"gt": "SECRET"}}, "$v.total.gt"),
        ("InvoiceFilter", {"total": {"in": ["1", "SECRET"]}}, "$v.total.in[1]"),
        ("InvoiceFilter", {"status": {"eq": "SECRET"}}, "$v.status.eq"),
        ("InvoiceFilter", {"SECRET": 1}, "$v"),
        ("InvoiceFilter", "SECRET", "$v"),
        ("[InvoiceOrder!]", [{"total": "SECRET"}], "$v[0].total"),
    ],
)
def test_faulty_variables_are_named_by_place_and_never_quoted(declared, sent, place):
    use = {"Int!": "limit", "InvoiceFilter": "filter", "[InvoiceOrder!]": "orderBy"}[declared]
    error = refused(f"query($v: {declared}) {{ invoices({use}: $v) {{ id }} }}", {"v": sent})
    assert error.code == "VALIDATION_ERROR"
    assert f"'{place}'" in error.message
    assert all("SECRET" not in entry.message for entry in error.entries)


def test_a_required_variable_that_is_missing():
    error = refused("query($id: ID!) { customer(id: $id) { id } }")
    assert "required" in error.message
    assert error.entries[0].locations == ((1, 7),)


def test_the_cure_of_our_scalars_is_told():
    error = refused("query($v: Decimal) { invoices(filter: {total: {gt: $v}}) { id } }", {"v": "SECRET"})
    assert 'A Decimal is written like "19.99"' in error.message


def test_deep_variables_are_refused_before_anything_recurses():
    deep = {}
    for _ in range(1000):
        deep = {"not": deep}
    text = "query($f: CustomerFilter) { customers(filter: $f) { id } }"
    assert refused(text, {"f": deep}).code == "LIMIT_EXCEEDED"
    inner = []
    for _ in range(100_000):
        inner = [inner]
    assert refused(text, {"unused": inner}).code == "LIMIT_EXCEEDED"
    while inner:  # taken apart by hand: freeing it would recurse
        inner = inner[0]


def test_filters_may_nest_as_deep_as_the_scan_allows():
    deep = {}
    for _ in range(60):
        deep = {"not": deep}
    assert GUARD.prepare("query($f: CustomerFilter) { customers(filter: $f) { id } }", {"f": deep})


def test_many_variables():
    text = "query(" + " ".join(f"$v{i}: Int" for i in range(600)) + ") { customersCount }"
    assert refused(text).code == "LIMIT_EXCEEDED"
    assert GUARD.prepare("{ customersCount }", {f"v{i}": i for i in range(10_000)}).variables == {}


# --- depth and expansion


def chain(levels):
    inner = "id"
    for level in range(levels - 2, 0, -1):
        inner = f"invoices(limit: 1) {{ {inner} }}" if level % 2 else f"customer {{ {inner} }}"
    return f"{{ customers(limit: 1) {{ {inner} }} }}"


def test_depth_counts_fields():
    assert GUARD.prepare(chain(10))
    error = refused(chain(11))
    assert error.code == "LIMIT_EXCEEDED"
    assert "11 levels deep; 10 are allowed" in error.message


def test_depth_sees_through_fragments_of_both_kinds():
    text = "{ ...A } fragment A on Query { ... { customers(limit: 1) { ...B } } } fragment B on Customer "
    inner = chain(11).removeprefix("{ customers(limit: 1) ").removesuffix(" }")
    assert refused(text + inner).code == "LIMIT_EXCEEDED"
    inner = chain(10).removeprefix("{ customers(limit: 1) ").removesuffix(" }")
    assert GUARD.prepare(text + inner)


def test_a_fragment_bomb_is_counted_without_being_expanded():
    bomb = "{ ...F0 }" + "".join(
        f" fragment F{i} on Query {{ a: customersCount ...F{i + 1} ... {{ ...F{i + 1} }} }}" for i in range(60)
    )
    tracemalloc.start()
    error = refused(bomb + " fragment F60 on Query { b: customersCount }")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "LIMIT_EXCEEDED"
    assert "fragments are expanded" in error.message
    assert peak < 20_000_000


def test_a_fragment_bomb_over_relations_is_too_deep_or_too_large():
    parts = [
        f"fragment F{i} on Invoice {{ "
        + " ".join(f"a{k}: customer {{ invoices(limit: 1) {{ ...F{i + 1} }} }}" for k in range(8))
        + " }"
        for i in range(4)
    ]
    text = "{ invoices(limit: 1) { ...F0 } } " + " ".join(parts) + " fragment F4 on Invoice { id }"
    assert refused(text).code == "LIMIT_EXCEEDED"


def test_a_long_chain_of_fragments_is_refused():
    links = "".join(f" fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(200))
    error = refused("{ ...F0 }" + links + " fragment F200 on Query { customersCount }")
    assert "in a row" in error.message


def test_a_response_key_repeated_too_often():
    assert GUARD.prepare("{" + " customersCount" * 50 + "}")
    assert refused("{" + " customersCount" * 51 + "}").code == "LIMIT_EXCEEDED"


def test_an_alias_bomb_costs_what_it_reads():
    text = "{" + " ".join(f"a{i}: customers(limit: 1000) {{ id }}" for i in range(101)) + "}"
    error = refused(text)
    assert error.code == "LIMIT_EXCEEDED"
    assert "101000 rows" in error.message


def test_aliases_of_one_value_are_counted_as_values():
    fields = " ".join(f"a{i}: name" for i in range(600))
    error = refused(f"{{ customers(limit: 1000) {{ invoices(limit: 90) {{ customer {{ id }} }} {fields} {fields} }} }}")
    assert error.code == "LIMIT_EXCEEDED"
    wide = guard(limits={"cost": 10_000})
    assert "values" in refused(f"{{ customers(limit: 1000) {{ {fields} }} }}", by=wide).message


@pytest.mark.parametrize(
    "text",
    ["{ customersCount " + "@include(if: true) " * 250 + "}", "{ customersCount " + "@nope " * 900 + "}"],
)
def test_directive_bombs(text):
    assert refused(text).code == "VALIDATION_ERROR"


# --- cost (S10)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("{ customers { id } }", 100),
        ("{ customers { invoices { id } } }", 100 * (1 + 20)),
        (
            "{ customers(limit: 3) { invoices(limit: 2) { items { quantity } customer { id } } } }",
            3 * (1 + 2 * (1 + 20 + 1)),
        ),
        ('{ customer(id: "1") { id invoices { id } } }', 1 + 20),
        ("{ customersCount }", 1),
        ("{ customers(limit: 0) { invoices { id } } }", 0),
        ("{ customers { id } customers { name } }", 100),
        ("{ customers { address { city } } }", 100),
        ("{ customers @skip(if: true) { id } customersCount }", 1),
        ("{ ...A ...A } fragment A on Query { customers { id } }", 100),
        ("{ __typename __schema { types { name } } }", 0),
        ("query($n: Int = 7) { customers(limit: $n) { id } }", 7),
    ],
)
def test_cost(text, allowed):
    if allowed:
        assert guard(limits={"cost": allowed}).prepare(text)
    if allowed > 1:
        assert f"read {allowed} rows" in refused(text, by=guard(limits={"cost": allowed - 1})).message
    assert GUARD.prepare(text)


def test_the_refusal_names_the_list_and_a_limit_that_passes():
    text = "{{ customers(limit: {}) {{ invoices(limit: {}) {{ items(limit: {}) {{ id }} }} }} }}"
    error = refused(text.format(1000, 100, 10))
    assert error.message.endswith("Lower the limit of customers: 90 would pass.")
    assert GUARD.prepare(text.format(90, 100, 10))
    assert refused(text.format(91, 100, 10)).code == "LIMIT_EXCEEDED"


def test_a_default_limit_can_be_what_is_too_much():
    small = guard(limits={"cost": 50})
    error = refused("{ all: customers { id } }", by=small)
    assert "Lower the limit of all: 50 would pass." in error.message


def test_where_no_single_limit_is_enough_the_largest_are_named():
    text = " ".join(f"a{i}: customers(limit: 1000) {{ id }}" for i in range(150))
    assert "No single limit is enough" in refused(f"{{ {text} }}").message


def test_the_cost_uses_the_variables_of_each_call():
    text = "query($n: Int!) { customers(limit: $n) { invoices(limit: $n) { id } } }"
    assert GUARD.prepare(text, {"n": 10})
    assert refused(text, {"n": 1000}).code == "LIMIT_EXCEEDED"
    assert GUARD.prepare(text, {"n": 10})


# --- introspection (S22)


def test_the_standard_introspection_query_passes_although_it_is_deep():
    text = get_introspection_query(input_value_deprecation=True, specified_by_url=True, directive_is_repeatable=True)
    assert only_introspects(GUARD.prepare(text))
    assert not only_introspects(GUARD.prepare("{ __typename customersCount }"))


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "{ __schema { " + " ".join(f"t{i}: types {{ fields {{ args {{ name }} }} }}" for i in range(120)) + " } }",
    ],
)
def test_introspection_bombs(text):
    assert refused(text).code in {"LIMIT_EXCEEDED", "VALIDATION_ERROR"}


def test_introspection_can_be_switched_off_and_then_nothing_is_suggested():
    closed = guard(introspection=False)
    assert refused("{ __schema { types { name } } }", by=closed).code == "VALIDATION_ERROR"
    assert closed.prepare("{ __typename }")
    assert "Did you mean" in refused("{ customer(id: 1) { nam } }").message
    assert "Did you mean" not in refused("{ customer(id: 1) { nam } }", by=closed).message
    for text in (
        "{ customer(idd: 1) { id } }",
        "{ invoices(filter: {statu: {}}) { id } }",
        "query($a: Custome) { __typename }",
    ):
        assert all("Did you mean" not in entry.message for entry in refused(text, by=closed).entries)


# --- the cache


def test_a_document_is_parsed_once_and_the_cache_is_bounded():
    fresh = guard()
    first = fresh.prepare("{ customersCount }")
    assert fresh.prepare("{ customersCount }").document is first.document
    padding = " ".join(f"a{i}: customersCount" for i in range(600))
    for i in range(32):
        fresh.prepare(f"{{ {padding} b{i}: customersCount }}")
    assert fresh._cached_tokens <= CACHED_TOKENS
    assert fresh.prepare("{ customersCount }").document is not first.document


def test_refused_documents_are_not_kept():
    fresh = guard()
    refused("{ nope }", by=fresh)
    assert not fresh._cache


def test_a_long_comment_weighs_in_the_cache():
    fresh = guard()
    for i in range(160):
        fresh.prepare(f"{{ customersCount }} # {i} {'x' * 90_000}")
    assert len(fresh._cache) < 150
