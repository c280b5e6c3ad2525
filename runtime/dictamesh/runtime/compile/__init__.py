# SPDX-License-Identifier: Apache-2.0
"""Specs in, plan out: pure, deterministic, content-hashed."""
