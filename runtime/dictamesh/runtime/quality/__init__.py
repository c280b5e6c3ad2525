# SPDX-License-Identifier: Apache-2.0
"""Quality rules run against the sources of a plan: counts come out, never a value."""
