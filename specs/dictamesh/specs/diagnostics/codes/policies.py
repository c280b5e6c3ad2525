# SPDX-License-Identifier: Apache-2.0
"""DM4xx: policies and their tests (S13..S20)."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "DM401",
        "policy that matches everything",
        "A match without keys.",
        "Give tags, tiers, products, entities or fields.",
    ),
    Code(
        "DM402",
        "unknown name in a policy",
        "A policy or test names a product, entity or field that does not exist, or a pattern that matches none.",
        "Correct the name.",
    ),
    Code(
        "DM403",
        "policy without rules",
        "A policy that says nothing.",
        "Give it rules or rows.",
    ),
    Code(
        "DM404",
        "effect and mask do not fit",
        "A rule's effect and its mask contradict each other, or the mask has parameters of another kind.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM405",
        "mask does not fit the type",
        "A mask for strings binds to a field that is no string (S13).",
        "Add otherwise to the mask, or exclude the field.",
    ),
    Code(
        "DM406",
        "rows bound by tag",
        "A policy with rows matches products or entities, not tags, tiers or fields (S18).",
        "Split the policy.",
    ),
    Code(
        "DM407",
        "rules with one name",
        "Two rules of a policy have the same name, so that audit and explain could not tell them apart.",
        "Rename one.",
    ),
    Code(
        "DM408",
        "malformed test",
        "A policy test that cannot be judged.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM409",
        "policy test failed",
        "The policies decide otherwise than an inline test expects.",
        "Correct the policy, or the test.",
    ),
    Code(
        "DM410",
        "agreement that cannot be",
        "An agreement that ends before it begins, or is approved by nobody.",
        "Follow the hint of the finding.",
    ),
    Code(
        "DM411",
        "unknown agreement",
        "A rule asks for an agreement that no document declares, and would never speak.",
        "Correct the name, or add the Agreement document.",
    ),
    Code(
        "DM412",
        "text that cannot decide",
        "A policy by an engine whose text is missing, unreadable, or asks for what callers and fields do not have.",
        "Follow the hint of the finding; docs/how-to/write-policies.md shows what a text may ask for.",
    ),
    Code(
        "DM413",
        "unknown policy engine",
        "A policy names an engine that is not installed, or one that does not load.",
        "Correct the name, or install the distribution that offers it under the entry-point group dictamesh.policies.",
    ),
)
