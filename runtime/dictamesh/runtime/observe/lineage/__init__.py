# SPDX-License-Identifier: Apache-2.0
"""Sending lineage events: to a collector, into a file, wherever a sink leads; never in the way of an operation."""
