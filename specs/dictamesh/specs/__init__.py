# SPDX-License-Identifier: Apache-2.0
"""The spec language: documents with positions, diagnostics, models, expressions, checks."""
