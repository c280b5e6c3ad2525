# SPDX-License-Identifier: Apache-2.0
"""Two plans compared: what is shown is what is done."""
