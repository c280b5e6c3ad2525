# SPDX-License-Identifier: Apache-2.0
"""Every commit of a PostgreSQL source by logical decoding: slot, publication, first pass, stream."""
