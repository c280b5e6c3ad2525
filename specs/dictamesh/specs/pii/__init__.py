# SPDX-License-Identifier: Apache-2.0
"""Personal data by its name: the kinds there are, what names of columns tell, which tag of a taxonomy means which."""

from dictamesh.specs.patterns import MAX_VALUE, Pattern, PatternProblem, compile_pattern, too_wide
from dictamesh.specs.pii.kinds import KINDS, KindName, PersonalKind
from dictamesh.specs.pii.names import Hint, Names, Strength, hints, of_people, strong_hint
from dictamesh.specs.pii.tags import TagChoice, new_tag
from dictamesh.specs.pii.words import joined, words

__all__ = [
    "KINDS",
    "MAX_VALUE",
    "Hint",
    "KindName",
    "Names",
    "Pattern",
    "PatternProblem",
    "PersonalKind",
    "Strength",
    "TagChoice",
    "compile_pattern",
    "hints",
    "joined",
    "new_tag",
    "of_people",
    "strong_hint",
    "too_wide",
    "words",
]
