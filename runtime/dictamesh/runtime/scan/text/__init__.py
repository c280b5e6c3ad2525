# SPDX-License-Identifier: Apache-2.0
"""Personal data within sentences: checked formats, and heuristics for names, places and addresses."""

from dictamesh.runtime.scan.text.find import find
from dictamesh.runtime.scan.text.span import Span, SpanKind

__all__ = ["Span", "SpanKind", "find"]
