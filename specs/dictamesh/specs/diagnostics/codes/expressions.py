# SPDX-License-Identifier: Apache-2.0
"""DM3xx: SQL expressions (S1, S5)."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "DM301",
        "syntax of an expression",
        "The text is not one SQL expression.",
        "Correct the expression; the reference lists operators and functions.",
    ),
    Code(
        "DM302",
        "expression too large",
        "An expression has 4 kB and 50 levels of nesting at most.",
        "Split it over several properties with self.",
    ),
    Code(
        "DM303",
        "unknown name",
        "A name that is neither a column here nor a declared claim. Names match exactly.",
        "Correct the name, or declare the column under the entity's source.",
    ),
    Code(
        "DM304",
        "unknown function",
        "A function that the expression language does not have.",
        "Use one of the functions of the reference.",
    ),
    Code(
        "DM305",
        "types do not fit",
        "An operator or function gets a type that it does not take, or the result is of another type than wanted.",
        "Cast explicitly, or correct the expression.",
    ),
    Code(
        "DM306",
        "not allowed in an expression",
        "Sub-selects, windows, aggregates and statements are not expressions.",
        "Write a scalar expression; join and aggregate in the source.",
    ),
    Code(
        "DM307",
        "circle of computed fields",
        "Computed fields read each other in a circle.",
        "Break the circle.",
    ),
)
