# SPDX-License-Identifier: Apache-2.0
"""Who sees what: principals, decisions, masks, row filters, policy tests and the audit row (S13..S22, S30)."""
