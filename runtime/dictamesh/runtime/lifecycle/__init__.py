# SPDX-License-Identifier: Apache-2.0
"""The end of records: retention by age, erasure of data subjects, and the ledger that a restore is held against."""
