# SPDX-License-Identifier: Apache-2.0
"""Adapters: reads of entities over any source, mapped, cached and filtered (S2..S12, S18, S23, S25)."""
