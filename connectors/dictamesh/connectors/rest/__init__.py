# SPDX-License-Identifier: Apache-2.0
"""REST: JSON over HTTP, with batches, lookups and paging as the spec describes them."""
