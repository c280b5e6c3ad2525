# SPDX-License-Identifier: Apache-2.0
"""Subscriptions: operations that are answered once for each change, over WebSocket or as server-sent events."""
