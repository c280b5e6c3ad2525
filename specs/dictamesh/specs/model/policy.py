# SPDX-License-Identifier: Apache-2.0
"""`kind: Policy`: who sees what, owned by the steward, bound by tag, tier, product, entity or field (S13..S21)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dictamesh.specs.model.agreement import Day
from dictamesh.specs.model.parts import ApiVersion, Listed, OneOrMany, Part, Slug

EffectName = Literal["allow", "mask", "deny"]
MaskName = Literal["redact", "nullify", "partial", "hmac", "token", "generalise", "truncate-date"]
LONGEST_TEXT = 16_384  # characters of a text that an engine reads
DateUnit = Literal["year", "quarter", "month", "week", "day", "hour"]


class Selector(Part):
    """Keys that must all hold; a list means any of its values. Products, entities and fields may be globs."""

    tags: OneOrMany | None = Field(default=None, description="a tag covers everything below it")
    tiers: OneOrMany | None = None
    products: OneOrMany | None = Field(default=None, description="product names or globs")
    entities: OneOrMany | None = Field(default=None, description="entity names or product#Entity, or globs")
    fields: OneOrMany | None = Field(default=None, description="product#Entity.field, Entity.field, field, or globs")


class Match(Selector):
    """What a policy binds to; `except` takes away again what all its keys name."""

    except_: Selector | None = Field(default=None, alias="except")


class Mask(Part):
    """How a value is made unreadable. Parameters belong to one kind each."""

    kind: MaskName
    key: str | None = Field(default=None, description="hmac, token: a name in security.keys")
    scope: Literal["mesh", "product"] | None = Field(
        default=None, description="hmac, token: equal values give equal text within"
    )
    keep_first: Annotated[int, Field(ge=0)] | None = None
    keep_last: Annotated[int, Field(ge=0)] | None = None
    char: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    step: Annotated[int | float, Field(gt=0, le=1e15)] | None = None
    groups: dict[str, Annotated[tuple[str, ...], Listed, Field(min_length=1)]] | None = None
    other: str | None = None
    to: DateUnit | None = None
    otherwise: Literal["redact", "nullify"] | None = Field(
        default=None, description="what happens to fields whose type the mask does not fit"
    )


class Condition(Part):
    """Whom a rule is for: all keys hold; a list means any of its values; no key means everybody."""

    name: Slug
    roles: OneOrMany | None = None
    purposes: OneOrMany | None = None
    claims: dict[str, Annotated[tuple[Any, ...], Listed]] | None = Field(
        default=None, description="claim: values of which the principal has one"
    )
    agreements: OneOrMany | None = Field(
        default=None, description="names of agreements of which one is in force for the caller and the product"
    )


class Rule(Condition):
    """A field rule; with `where` it speaks only on the rows that the SQL condition keeps (S17)."""

    effect: EffectName
    mask: Mask | None = None
    where: str | None = None


class Row(Condition):
    """A row rule: which records exist for the caller (S18)."""

    keep: Annotated[str, Field(description="all, none, or an SQL condition over the entity's fields")]


class OnUse(Part):
    """What callers for whom a field is not clear may still do with it (S20); filtering is always refused."""

    filter: Literal["deny"] = "deny"
    sort: Literal["deny", "allow"] = "deny"
    group: Literal["deny", "allow"] = "deny"
    relation: Literal["deny", "allow"] = "deny"
    cursor: Literal["deny", "allow"] = "deny"


class TestPrincipal(Part):
    """A caller of a test; no `roles` at all is anonymous."""

    roles: Annotated[tuple[str, ...], Listed] | None = None
    purpose: str | None = None
    claims: dict[str, Any] = {}
    date: Day | None = None


class Expectation(Part):
    """What a test demands; each key given must hold."""

    effect: Literal["allow", "mask", "deny"] | None = None
    mask: MaskName | None = None
    rule: str | None = None
    value: Any = None
    row: Literal["visible", "hidden"] | None = None


class PolicyTest(Part):
    """A test that stands beside the rules: a field with a value, or a record of an entity."""

    as_: TestPrincipal = Field(default=TestPrincipal(), alias="as")
    field: str | None = None
    value: Any = None
    record: dict[str, Any] | None = None
    on: str | None = Field(default=None, description="product#Entity of the record")
    expect: Expectation


class Policy(Part):
    """A policy: in each, the first rule that applies speaks; of all policies that speak, the strictest wins (S14)."""

    api_version: ApiVersion
    kind: Literal["Policy"]
    name: Slug
    owner: str
    description: str = ""
    match: Match
    engine: Annotated[Slug, Field(description="rules, cedar, or an engine that is installed")] = "rules"
    rules: Annotated[tuple[Rule, ...], Listed] = ()
    text: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    cedar: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    rows: Annotated[tuple[Row, ...], Listed] = ()
    on_use: OnUse = OnUse()
    tests: Annotated[tuple[PolicyTest, ...], Listed] = ()

    @property
    def text_key(self) -> str:
        """Where the text of the engine stands."""
        return "cedar" if self.engine == "cedar" and self.text is None else "text"

    @property
    def decides_by(self) -> str | None:
        """The text that the engine is asked by."""
        return self.cedar if self.text_key == "cedar" else self.text
