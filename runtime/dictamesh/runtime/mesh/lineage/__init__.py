# SPDX-License-Identifier: Apache-2.0
"""What a running mesh tells of its own data flows: calls and operations, collected and sent as lineage events."""
