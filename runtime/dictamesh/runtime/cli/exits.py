# SPDX-License-Identifier: Apache-2.0
"""Exit codes (S32) and the one exception that means wrong usage."""

FINE = 0
FINDINGS = 1
USAGE = 2
DEPENDENCY = 3


class UsageError(Exception):
    """The command line asks for something that cannot be."""
