# SPDX-License-Identifier: Apache-2.0
"""From documents to checked specs; all faults of a run are collected."""
