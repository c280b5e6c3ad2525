# SPDX-License-Identifier: Apache-2.0
"""What a row of the code tables holds."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs: an error stops the phase, a warning does so under `--strict`, a note never."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Code:
    """One stable diagnostic code.

    `title` is a noun phrase for lists, `explanation` says what is wrong and why it matters, `cure` what to do; the cure
    is the hint of a diagnostic that brings none of its own. Raises ValueError for a code not of the form `DM` and three
    digits.
    """

    code: str
    title: str
    explanation: str
    cure: str
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        if not re.fullmatch(r"DM[0-9]{3}", self.code):
            raise ValueError(f"not a diagnostic code: {self.code!r}")
