# SPDX-License-Identifier: Apache-2.0
"""The keys that webhooks are signed with, resolved at start."""

from dictamesh.runtime.capture.webhook.building import hooked
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver


def webhook_secrets(plan: Plan, resolver: Resolver) -> dict[str, bytes]:
    """Return the key of each entity that takes webhooks, by address; raises StartFailed naming the reference alone."""
    found = {}
    for address, declared in hooked(plan).items():
        written, place = declared.signature.secret, f"{address}: changes.webhook.signature.secret"
        found[address] = resolver.text(written, place).strip().encode()
        if not found[address]:
            raise StartFailed(f"{place}: {written} is empty", "give it a value")
    return found
