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
        "A column whose name is one of personal data is read by a field without a pii tag. Names count in English,"
        " German, French, Spanish, Italian, Dutch and some more languages, and as tags of the taxonomy say in `names`.",
        "Add a pii tag, or say under `notPersonal` of the product why it is none.",
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
    Code(
        "DM810",
        "pattern that matches everything",
        "A pattern of a tag matches texts that have nothing in common; `scan` would propose the tag everywhere.",
        "Make the pattern say what its values have in common.",
        Severity.WARNING,
    ),
    Code(
        "DM811",
        "detection claimed twice",
        "Two tags detect the same kind or name; `scan` proposes the first.",
        "Keep it at one of the two.",
        Severity.WARNING,
    ),
    Code(
        "DM812",
        "personal and not personal",
        "A field has a pii tag, of its own or inherited, and `notPersonal` says that it is no personal data.",
        "Remove the tag or the entry.",
        Severity.WARNING,
    ),
    Code(
        "DM813",
        "exclusion of nothing",
        "An entry of `notPersonal` names neither a field nor a declared column, so that it has no effect.",
        "Correct or remove the entry.",
        Severity.WARNING,
    ),
)
