# SPDX-License-Identifier: Apache-2.0
"""Webhooks: sources that tell of each change themselves (AD-6, AD-7)."""
