# SPDX-License-Identifier: Apache-2.0
"""The mesh's own consumers of the event log: catalog, caches, subscriptions, notification hooks."""
