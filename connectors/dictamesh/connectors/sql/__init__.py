# SPDX-License-Identifier: Apache-2.0
"""What the SQL connectors share: options, statements with bound values, what is pushed down."""
