# SPDX-License-Identifier: Apache-2.0
"""Who reads the event log: the catalog, caches, subscribers, hooks."""
