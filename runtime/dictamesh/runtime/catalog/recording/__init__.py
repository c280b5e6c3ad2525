# SPDX-License-Identifier: Apache-2.0
"""What requests leave behind: counted in memory, bounded, and written to the catalog in batches beside them."""
