# SPDX-License-Identifier: Apache-2.0
"""What makes the payloads of a plan's events, with the keys that it needs."""

from pathlib import Path

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.adapters.surrogates import surrogates
from dictamesh.runtime.bus.payload import PolicyPayloads
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.authenticate import mask_keys
from dictamesh.runtime.governance.refusals import MissingSecret
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key, subject_wrapping
from dictamesh.runtime.mesh.references import Resolver


def payload_maker(plan: Plan, resolver: Resolver, data_dir: Path) -> PolicyPayloads:
    """Return what makes the payloads of a plan's events; raises StartFailed."""
    try:
        keys = mask_keys(plan.mesh.security, resolver.secrets(plan.mesh.security))
    except MissingSecret as missing:
        raise StartFailed(f"{missing.place}: {missing.reference} is empty", "give it a value") from None
    ids = RecordIds(surrogates(plan, keys))
    wrapping = subject_wrapping(plan, keys, data_dir)
    return PolicyPayloads(plan, keys, ids, audit_key(plan, keys, data_dir), wrapping)
