# SPDX-License-Identifier: Apache-2.0
"""The audit log: hash-chained per product and day, its heads signed and published, read, exported and verified."""
