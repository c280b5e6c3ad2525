# SPDX-License-Identifier: Apache-2.0
"""DM9xx: start and run."""

from dictamesh.specs.diagnostics.codes.code import Code

CODES: tuple[Code, ...] = ()
