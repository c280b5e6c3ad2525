# SPDX-License-Identifier: Apache-2.0
"""Diagnostics: stable codes, findings with their places, and how they are shown (DESIGN §1)."""

from dictamesh.specs.diagnostics.codes import CODES, GROUPS, Code, Severity
from dictamesh.specs.diagnostics.diagnostic import Diagnostic, Findings, diagnostic, in_file_order
from dictamesh.specs.diagnostics.render import render, summary
from dictamesh.specs.diagnostics.source import Located, Source, Span

__all__ = [
    "CODES",
    "GROUPS",
    "Code",
    "Diagnostic",
    "Findings",
    "Located",
    "Severity",
    "Source",
    "Span",
    "diagnostic",
    "in_file_order",
    "render",
    "summary",
]
