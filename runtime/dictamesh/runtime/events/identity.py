# SPDX-License-Identifier: Apache-2.0
"""Ids of events that follow from what caused them, so that the same cause makes no second event."""

import uuid

_DELIVERIES = uuid.UUID("5d9c3f0e-6f0b-5a53-9d0e-0a8a3d4a7f11")


def delivery_event(entity: str, delivery: bytes) -> uuid.UUID:
    """Return the id of the event that a delivery for an entity (`product#Entity`) makes."""
    return uuid.uuid5(_DELIVERIES, f"{entity}\0{delivery.hex()}")
