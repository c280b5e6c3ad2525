# SPDX-License-Identifier: Apache-2.0
"""Lineage in the catalog: registered from the plan, told by events, walked as of any instant (MC-6, GL-7)."""
