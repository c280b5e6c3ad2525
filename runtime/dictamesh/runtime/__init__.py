# SPDX-License-Identifier: Apache-2.0
"""The runtime: from checked specs to a plan, from a plan to a running mesh."""
