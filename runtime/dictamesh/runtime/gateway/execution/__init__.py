# SPDX-License-Identifier: Apache-2.0
"""Execution: what an operation selects is fetched level by level, masked, audited (S8..S11, S18..S20, S30)."""
