# SPDX-License-Identifier: Apache-2.0
"""The fourth phase: a plan in, a running mesh out. Effects live here."""
