# SPDX-License-Identifier: Apache-2.0
"""DM8xx: warnings: legal, and probably not meant."""

from dictamesh.specs.diagnostics.codes.code import Code, Severity

CODES: tuple[Code, ...] = (
    Code(
        "DM801",
        "policy without effect",
        "A policy that matches no field, or whose rows match no entity.",
        "Correct match, or remove the policy.",
        Severity.WARNING,
    ),
    Code(
        "DM802",
        "rule that can never speak",
        "Earlier rules cover everyone that this one is for, or no caller can be one that it is for.",
        "Reorder or remove.",
        Severity.WARNING,
    ),
    Code(
        "DM803",
        "masks with different parameters",
        "Two policies mask a field by the same kind with other parameters; where both speak it is redacted (S14).",
        "Give them the same parameters.",
        Severity.WARNING,
    ),
    Code(
        "DM804",
        "field without a tier",
        "A field without classification is served as restricted.",
        "Add a classification.",
        Severity.WARNING,
    ),
    Code(
        "DM805",
        "looks like personal data",
        "A column whose name is one of personal data is read by a field without a pii tag.",
        "Add a pii tag.",
        Severity.WARNING,
    ),
    Code(
        "DM806",
        "relation that costs a call per parent",
        "The source offers no lookup by the columns of this relation (S11).",
        "Add a lookup to the entity's source.",
        Severity.WARNING,
    ),
    Code(
        "DM807",
        "allow that is silent",
        "On a confidential or restricted field an allow counts only from a policy that matches its tag, its tier or its"
        " name; from a product or entity alone it is silence (S16).",
        "Match by tag, tier or field where the allow is meant to count.",
        Severity.WARNING,
    ),
)
