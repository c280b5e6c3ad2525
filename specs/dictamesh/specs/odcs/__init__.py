# SPDX-License-Identifier: Apache-2.0
"""Contracts of the Open Data Contract Standard (Bitol): checked, read into the language, and written out of it."""
