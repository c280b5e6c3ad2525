# SPDX-License-Identifier: Apache-2.0
"""The five kinds of documents as frozen models; unknown keys are refused."""

from dictamesh.specs.model.agreement import Agreement
from dictamesh.specs.model.contract import Contract
from dictamesh.specs.model.mesh import Gateway, Jwt, Limits, Mesh, Runtime, Security
from dictamesh.specs.model.odcs import Quality, SlaProperty
from dictamesh.specs.model.policy import Mask, Match, Policy, PolicyTest, Row, Rule
from dictamesh.specs.model.product import (
    Entity,
    EntitySource,
    Input,
    LineageEntry,
    LineageSource,
    Product,
    Property,
    Relation,
)
from dictamesh.specs.model.taxonomy import Tag, Taxonomy

__all__ = [
    "Agreement",
    "Contract",
    "Entity",
    "EntitySource",
    "Gateway",
    "Input",
    "Jwt",
    "Limits",
    "LineageEntry",
    "LineageSource",
    "Mask",
    "Match",
    "Mesh",
    "Policy",
    "PolicyTest",
    "Product",
    "Property",
    "Quality",
    "Relation",
    "Row",
    "Rule",
    "Runtime",
    "Security",
    "SlaProperty",
    "Tag",
    "Taxonomy",
]
