# SPDX-License-Identifier: Apache-2.0
"""The event log: every change in order per partition, in PostgreSQL."""
