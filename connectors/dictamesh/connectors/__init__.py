# SPDX-License-Identifier: Apache-2.0
"""Connectors: the public contract (`sdk`), the registry, and one folder per connector."""
