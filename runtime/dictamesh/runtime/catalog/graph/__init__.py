# SPDX-License-Identifier: Apache-2.0
"""The relation graph of the catalog: records and relations written in batches, and walks over them (GL-1 to GL-5)."""
