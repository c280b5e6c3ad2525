# SPDX-License-Identifier: Apache-2.0
"""What the log says of specs while a mesh runs: one record for each finding, texts of ours alone (OB-8)."""

import logging
from collections.abc import Iterable

from dictamesh.runtime.diff.weakening import Weaker
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.specs.diagnostics import Diagnostic, Severity

_LOG = logging.getLogger("dictamesh.mesh")
_MOST = 50
_LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING}


def findings(found: Iterable[Diagnostic]) -> None:
    """Log errors and warnings with code and place, the first 50."""
    worth_telling = [each for each in found if each.severity in _LEVELS]
    for each in worth_telling[:_MOST]:
        place = f"{each.file}:{each.line}:{each.column}"
        extra = {"code": each.code, "reason": each.message, "file": place}
        _LOG.log(_LEVELS[each.severity], "a finding in the specs", extra=extra)


def loosened(found: tuple[Weaker, ...]) -> None:
    """Log what a refused change would have shown to whom, the first 50."""
    for each in found[:_MOST]:
        _LOG.error("the change would show more", extra={"reason": str(each)})


def failed(message: str, failure: StartFailed) -> None:
    """Log why changed specs are not served; `message` is a constant."""
    _LOG.error(message, extra={"reason": str(failure)})
