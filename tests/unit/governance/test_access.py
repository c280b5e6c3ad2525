# SPDX-License-Identifier: Apache-2.0
"""What one operation asks of its caller's rights (S2, S17..S20)."""

import datetime
from decimal import Decimal

import pytest

from dictamesh.runtime.governance.access import CACHED_PRINCIPALS, Access, AccessCache
from dictamesh.runtime.governance.decide import USES
from dictamesh.runtime.governance.masks import REDACTED, MaskKeyMissing
from dictamesh.runtime.governance.places import entity_address
from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.expressions.tree import Call, Column, Parameter
from dictamesh.specs.rules import Audience, RowPolicy, RowRule
from dictamesh.specs.types import BOOLEAN, DATE, INT, LONG, STRING, Kind, Type
from tests.unit.governance.pieces import (
    ENTITY,
    HMAC,
    KEYS,
    NULLIFY,
    PARTIAL,
    REDACT,
    STRANGER,
    entity,
    equals,
    field,
    person,
    plan,
    policy,
    rule,
)

ROW = {
    "id": "c1",
    "number": 7,
    "email": "ana@example.com",
    "name": "John Doe",
    "country": "DE",
    "status": "open",
    "total": Decimal("39.98"),
    "level": 3,
    "extra": {"phone": "555"},
    "born": datetime.date(1990, 1, 2),
    "tags": ["a", "b"],
    "address": {"city": "Rome", "street": "Via Appia 1"},
    "contacts": [{"phone": "555", "since": datetime.date(2020, 1, 1)}, None],
}


def served(access: Access, name: str, row=ROW, **moment):
    plan_ = next(f for f in entity().fields if f.name == name)
    return access.serializer(plan_, moment or None)(row[name], row)


def access(fields=None, rows=(), who: Principal = STRANGER, **options) -> Access:
    return Access(plan(fields, rows, **options), who, KEYS)


def test_the_tier_masks_each_type_as_it_can():
    rights = access(who=person("support"))
    got = {name: served(rights, name) for name in ROW}
    assert got == {
        "id": "c1",
        "number": 7,
        "email": None,
        "name": REDACTED,
        "country": "DE",
        "status": None,
        "total": None,
        "level": 3,
        "extra": None,
        "born": None,
        "tags": [REDACTED, REDACTED],
        "address": {"city": REDACTED, "street": REDACTED},
        "contacts": [{"phone": REDACTED, "since": None}, None],
    }


def test_a_row_is_never_changed():
    before = repr(ROW)
    rights = access()
    for name in ROW:
        served(rights, name)
    assert repr(ROW) == before


def test_leaves_of_an_object_have_decisions_of_their_own():
    rights = access(
        {"address.city": [policy("p", rule("r", "allow"))], "contacts.phone": [policy("p", rule("r", HMAC))]}
    )
    assert served(rights, "address") == {"city": "Rome", "street": REDACTED}
    assert len(served(rights, "contacts")[0]["phone"]) == 32
    assert rights.clear(f"{ENTITY}.address.city")
    assert not rights.clear(f"{ENTITY}.address")
    assert not rights.may_use(f"{ENTITY}.address", "filter")


def test_an_object_with_nothing_but_denied_leaves_is_null():
    deny = [policy("p", rule("r", "deny"))]
    rights = access({"contacts.phone": deny, "contacts.since": deny, "address.city": deny})
    assert served(rights, "contacts") is None
    assert served(rights, "address") == {"city": None, "street": REDACTED}


def test_only_declared_members_of_a_withheld_object_are_served():
    row = {**ROW, "address": {"city": "Rome", "street": "x", "undeclared": "secret"}}
    assert served(access(), "address", row) == {"city": REDACTED, "street": REDACTED}
    assert served(access(), "address", {**ROW, "address": "no object"}) is None


def test_rows_decide_by_their_own_values():
    by_country = policy("p", rule("own", "allow", where=equals("country", "DE")), rule("rest", PARTIAL))
    rights = access({"email": [by_country]})
    assert rights.needs(f"{ENTITY}.email") == {("country",)}
    assert rights.needs(f"{ENTITY}.name") == frozenset()
    assert served(rights, "email") == "ana@example.com"
    assert served(rights, "email", {**ROW, "country": "FR"}) == "***********.com"
    assert served(rights, "email", {**ROW, "country": None}) == "***********.com"


def test_a_leaf_decides_by_the_row_of_its_entity():
    rights = access({"contacts.phone": [policy("p", rule("own", "allow", where=equals("country", "DE")))]})
    assert served(rights, "contacts") == [{"phone": "555", "since": None}, None]
    assert served(rights, "contacts", {**ROW, "country": "FR"})[0]["phone"] == REDACTED


def test_conditions_read_claims_and_the_moment_of_the_operation():
    born = Call("lt", (Column(("born",), DATE), Parameter("today", DATE)), BOOLEAN)
    rules = {"name": [policy("p", rule("r", "allow", where=born))]}
    today = datetime.date(2024, 1, 1)
    assert served(access(rules), "name", today=today) == "John Doe"
    assert served(access(rules), "name", {**ROW, "born": today}, today=today) == REDACTED
    rights = access(rules)
    assert [served(rights, "name", today=day) for day in (today, datetime.date.min, today)] == [
        "John Doe",
        REDACTED,
        "John Doe",
    ]
    assert served(access(rules), "name", {**ROW, "born": datetime.date.max}) == REDACTED
    assert served(access(rules), "name") == "John Doe"
    list_ = Parameter("principal.countries", Type(Kind.ARRAY, item=STRING))
    listed = Call("any_eq", (Column(("country",), STRING), list_), BOOLEAN)
    own = {"name": [policy("p", rule("r", "allow", where=listed))]}
    assert served(access(own, who=person(countries=("DE", "FR"))), "name") == "John Doe"
    assert served(access(own, who=person(countries=("FR",))), "name") == REDACTED
    assert served(access(own, who=person()), "name") == REDACTED


def test_a_mark_in_the_place_of_a_value_makes_no_condition_true():
    class Mark:
        pass

    other = Call("ne", (Column(("country",), STRING), equals("country", "FR").args[1]), BOOLEAN)
    low = Call("lt", (Column(("level",), INT), equals("level", 5, INT).args[1]), BOOLEAN)
    for name, where in (("country", other), ("level", low)):
        rights = access({"email": [policy("p", rule("r", "allow", where=where), rule("rest", "deny"))]})
        assert served(rights, "email") == "ana@example.com"
        assert served(rights, "email", {**ROW, name: Mark()}) is None
    related = Call("ne", (Column(("store", "city"), STRING), equals("x", "FR").args[1]), BOOLEAN)
    rights = access({"email": [policy("p", rule("r", "allow", where=related), rule("rest", "deny"))]})
    assert served(rights, "email", {**ROW, "store": {"city": "Rome"}}) == "ana@example.com"
    assert [served(rights, "email", {**ROW, "store": store}) for store in (None, Mark(), {"city": Mark()})] == [
        None
    ] * 3
    assert served(access({"name": [policy("p", rule("r", REDACT))]}), "name", {**ROW, "name": Mark()}) is None


class TestKey:
    def of(self, key_field, **options):
        made = entity((key_field,), (key_field.name,))
        return Access(plan(of=made, **options), STRANGER, KEYS).key_visible(ENTITY)

    def test_a_clear_key_shows(self):
        assert self.of(field("id"))

    def test_a_denied_key_does_not(self):
        assert not self.of(field("id", tier="restricted"))
        assert not self.of(field("id"), fields={"id": [policy("p", rule("r", NULLIFY))]})

    def test_a_masked_text_is_a_key_and_a_masked_number_is_none(self):
        hashed = {"id": [policy("p", rule("r", HMAC))]}
        assert self.of(field("id", tier="confidential"))
        assert self.of(field("id"), fields=hashed)
        assert not self.of(field("id", LONG, tier="confidential"))

    def test_a_key_denied_on_some_rows_does_not_show(self):
        some = policy("p", rule("r", "deny", where=equals("id", "x")), rule("rest", "allow"))
        assert not self.of(field("id"), fields={"id": [some]})


class TestUse:
    uses = ("filter", "sort", "group", "relation", "lookup")

    def test_of_a_clear_field(self):
        assert all(access().may_use(f"{ENTITY}.id", use) for use in self.uses)

    def test_of_a_withheld_field(self):
        assert not any(access().may_use(f"{ENTITY}.email", use) for use in self.uses)

    def test_on_use_never_loosens_filter_and_lookup(self):
        loose = policy("p", rule("r", HMAC), uses=USES)
        rights = access({"email": [loose]})
        assert [use for use in self.uses if rights.may_use(f"{ENTITY}.email", use)] == ["sort", "group", "relation"]

    def test_clear_on_some_rows_only_is_not_clear(self):
        some = policy("p", rule("r", "allow", where=equals("country", "DE")))
        assert not access({"email": [some]}).may_use(f"{ENTITY}.email", "filter")


def test_rows():
    german = equals("country", "DE")
    only = RowPolicy("p", (RowRule("own", Audience(frozenset({"analyst"})), german),))
    assert access(rows=[only], who=person("analyst")).rows(ENTITY) == german
    assert access(rows=[only]).rows(ENTITY) is True
    with pytest.raises(KeyError):
        access().rows("customers#Nothing")


def test_the_report_names_each_withheld_field_once():
    some = policy("q", rule("german", "allow", where=equals("country", "DE")), rule("rest", PARTIAL))
    rights = access({"email": [policy("p", rule("hash", HMAC))], "name": [some]}, who=person())
    asked = [f"{ENTITY}.{name}" for name in ("name", "id", "email", "email", "address", "number")]
    assert rights.report(asked) == [
        {"field": "Customer.address.city", "effect": "mask", "rule": "tier", "mask": "redact"},
        {"field": "Customer.address.street", "effect": "mask", "rule": "tier", "mask": "redact"},
        {"field": "Customer.email", "effect": "mask", "rule": "hash", "mask": "hmac", "policy": "p"},
        {"field": "Customer.name", "effect": "mask", "rule": "rest", "mask": "partial", "policy": "q"},
    ]
    assert access().report([f"{ENTITY}.email"]) == [{"field": "Customer.email", "effect": "deny", "rule": "tier"}]


def test_without_a_security_block_strangers_see_public():
    rights = access(security=None)
    assert rights.clear(f"{ENTITY}.id")
    assert not rights.clear(f"{ENTITY}.country")
    assert access(security={"anonymous": {"sees": "internal"}}).clear(f"{ENTITY}.country")
    assert not access(security={"anonymous": False}).clear(f"{ENTITY}.country")


def test_parameters_hold_every_declared_claim():
    assert access(who=person("b", "a", purpose="service", countries=("DE",))).parameters == {
        "principal.countries": ["DE"],
        "principal.level": None,
        "principal.vip": None,
        "principal.roles": ["a", "b"],
        "request.purpose": "service",
    }


def test_a_mask_without_its_key_stops_the_operation():
    rights = Access(plan({"email": [policy("p", rule("r", HMAC))]}), STRANGER, {})
    with pytest.raises(MaskKeyMissing):
        served(rights, "email")


def test_principals_who_differ_in_name_only_share_their_rights():
    cache = AccessCache(plan(), KEYS)
    one, other = person("support"), Principal("another", True, frozenset({"support"}))
    assert cache.access(one) is cache.access(other)
    assert cache.access(one) is not cache.access(person("analyst"))


def test_fingerprints_tell_apart_what_decisions_can():
    people = [
        STRANGER,
        person(),
        person("a"),
        person("b"),
        person("a", "b"),
        person("a", purpose="a"),
        person("a", level=1),
        person("a", level=True),
        person("a", level="1"),
        person("a", level=("1",)),
        person("a", levels="1"),
    ]
    assert len({one.fingerprint for one in people}) == len(people)
    assert person("a", "b").fingerprint == person("b", "a").fingerprint
    # stable over processes and versions
    assert STRANGER.fingerprint == "b21dabf3f4422a39292cb824e474ccb2c9b1330f7504edc9db5eb42de20a91f7"


def test_the_cache_is_bounded_and_keeps_the_latest():
    cache = AccessCache(plan(), KEYS)
    first, kept = cache.access(person("r0")), cache.access(person("kept"))
    for number in range(1, CACHED_PRINCIPALS):
        cache.access(person("kept"))
        cache.access(person(f"r{number}"))
    assert cache.access(person("kept")) is kept
    assert cache.access(person("r0")) is not first


def test_addresses_with_dots_in_the_product():
    assert entity_address("eu.crm#Customer.address.city") == "eu.crm#Customer"
