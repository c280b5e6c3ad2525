# SPDX-License-Identifier: Apache-2.0
"""Engines that decide by a text of their own (`engine: <name>` of a policy), and how a package adds one (GV-10)."""

from dictamesh.specs.engines.protocol import (
    Caller,
    Compiled,
    Engine,
    Mention,
    MentionKind,
    Problem,
    Refused,
    Verdict,
)
from dictamesh.specs.rules import Audience, Effect, Resource, Scope

__all__ = [
    "Audience",
    "Caller",
    "Compiled",
    "Effect",
    "Engine",
    "Mention",
    "MentionKind",
    "Problem",
    "Refused",
    "Resource",
    "Scope",
    "Verdict",
]
