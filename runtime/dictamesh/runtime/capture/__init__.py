# SPDX-License-Identifier: Apache-2.0
"""Changes of sources become events: noticed, mapped, compared with what is known, written in one transaction."""
