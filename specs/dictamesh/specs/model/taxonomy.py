# SPDX-License-Identifier: Apache-2.0
"""`kind: Taxonomy`: the only tags and tiers there are."""

from typing import Annotated, Literal

from pydantic import Field

from dictamesh.specs.model.parts import ApiVersion, Listed, Names, Part
from dictamesh.specs.pii import KindName

TIERS = ("public", "internal", "confidential", "restricted")
REGIMES = ("CCPA", "GDPR", "HIPAA", "PCI", "SOC2")
"""Regimes that need no declaration."""


class Tag(Part):
    """One tag; `children` are tags below it, `a.b` for child `b` of `a`."""

    description: str = ""
    pii: Annotated[bool, Field(description="whether data under this tag is personal; its children inherit it")] = False
    children: Names = ()
    regimes: Annotated[Names, Field(description="its children inherit them")] = ()
    detects: Annotated[
        tuple[KindName, ...], Listed, Field(description="kinds of personal data that `scan` proposes this tag for")
    ] = ()
    names: Annotated[Names, Field(max_length=200)] = ()
    patterns: Annotated[Names, Field(max_length=20)] = ()


class Taxonomy(Part):
    """The tags and tiers of a mesh. Tiers rise; the four names are fixed, as their default decisions are (S15)."""

    api_version: ApiVersion
    kind: Literal["Taxonomy"]
    tiers: Annotated[
        tuple[Literal["public", "internal", "confidential", "restricted"], ...],
        Listed,
        Field(description="rising order; a field without one is served as restricted"),
    ] = ("public", "internal", "confidential", "restricted")
    regimes: Annotated[
        dict[str, str], Field(description="beside CCPA, GDPR, HIPAA, PCI and SOC2; name: what it is")
    ] = {}
    tags: Annotated[dict[str, Tag], Field(description="dotted names; a child lies below its parent's name")] = {}
