# SPDX-License-Identifier: Apache-2.0
"""The receivers that a plan declares."""

from collections.abc import Callable, Mapping

from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.capture.contract import Recorder, StateId
from dictamesh.runtime.capture.naming import identifier
from dictamesh.runtime.capture.states_of import states_of
from dictamesh.runtime.capture.webhook.inbox import Inbox
from dictamesh.runtime.capture.webhook.known import Known
from dictamesh.runtime.capture.webhook.reading import Reader
from dictamesh.runtime.capture.webhook.receiver import Receiver
from dictamesh.runtime.capture.webhook.signature import Verifier
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.events.seal import Seal
from dictamesh.specs.model.events import WebhookChanges


def hooked(plan: Plan) -> dict[str, WebhookChanges]:
    """Return what is declared for each entity that takes webhooks, by address; nothing where nothing is captured."""
    if not plan.mesh.events.capture:
        return {}
    found = {address: entity.changes.webhook for address, entity in plan.entities.items() if entity.changes}
    return {address: webhook for address, webhook in found.items() if webhook is not None}


def receivers(
    plan: Plan,
    pool: Pool,
    seal: Seal,
    secrets: Mapping[str, bytes],
    ids: RecordIds,
    recorder: Callable[[EntityPlan], Recorder],
) -> dict[tuple[str, str], Receiver]:
    """Return the receivers of a plan by names of product and entity; `secrets` are keys of signatures by address."""
    found = {}
    for address, declared in hooked(plan).items():
        entity = plan.entities[address]
        inbox = Inbox(
            state_of(plan, entity), recorder(entity), Known(pool, plan.name, address, entity.name), declared.buffer
        )
        found[entity.product, entity.name] = Receiver(
            entity.product,
            entity.name,
            Verifier(declared.signature, secrets[address]),
            Reader(entity, declared, seal, identifier(entity, ids)),
            inbox,
            declared.max_body,
        )
    return found


def state_of(plan: Plan, entity: EntityPlan) -> StateId:
    """Return whose state deliveries belong to."""
    return next(each for each in states_of(plan.name, entity) if each.kind == "webhook")
