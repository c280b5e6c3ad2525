# SPDX-License-Identifier: Apache-2.0
"""Engines complete an operation over values that were fetched before: one answer, two implementations."""
