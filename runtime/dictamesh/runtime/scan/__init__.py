# SPDX-License-Identifier: Apache-2.0
"""The scan for personal data: values are looked at here and leave no trace but counts."""
