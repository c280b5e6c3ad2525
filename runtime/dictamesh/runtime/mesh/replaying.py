# SPDX-License-Identifier: Apache-2.0
"""Publishing a part of the log again beside the relay, whose position stays."""

import asyncio
import time
from collections.abc import Iterator, Mapping

from dictamesh.runtime.bus.client import Sender
from dictamesh.runtime.bus.messages import Row, written
from dictamesh.runtime.bus.refusals import fault_named
from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable
from dictamesh.runtime.bus.schemas import Incompatible
from dictamesh.runtime.bus.settings import producer
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.publishing import incompatible, reach, ways_of
from dictamesh.runtime.mesh.references import Resolver

_PATIENCE = 60


async def publish_again(plan: Plan, resolver: Resolver, pages: Iterator[list[Row]]) -> Mapping[str, int]:
    """Publish events, with the ids that they have; returns how many were sent and how many did not fit.

    Raises StartFailed where the bus cannot be used.
    """
    reached = reach(plan, resolver)
    kafka = plan.mesh.events.kafka
    if reached is None or kafka is None:
        raise StartFailed("the mesh publishes nowhere", "declare 'events.kafka', or name a --group of the log")
    try:
        if reached.schemas is not None:
            await reached.schemas.check(reached.topics)
            await reached.schemas.register(reached.topics)
    except RegistryRefused as error:
        raise StartFailed(str(error), error.fault.cure) from None
    except RegistryUnavailable as error:
        raise StartFailed(str(error), "see that the registry of events.registry runs") from None
    except Incompatible as found:
        raise incompatible(found) from None
    finally:
        await reached.close()
    ways = ways_of(reached)
    sender = Sender(producer(kafka, reached.made_of[0]))
    sent = refused = 0
    try:
        while (rows := await asyncio.to_thread(next, pages, None)) is not None:
            messages, rejected = written(ways, rows)
            await asyncio.to_thread(sender.send, messages)
            if not await asyncio.to_thread(_taken, sender) or sender.failures:
                raise await asyncio.to_thread(_refused, sender)
            sent += len(rows) - len(rejected)
            refused += len(rejected)
    finally:
        await asyncio.to_thread(sender.close)
    return {"published": sent, "refused": refused}


def _taken(sender: Sender) -> bool:
    """Wait until the brokers have what was sent; no longer than it takes to know that they refuse us."""
    give_up = time.monotonic() + _PATIENCE
    while not sender.wait(1.0):
        if sender.fatal is not None or time.monotonic() >= give_up or sender.fault() is not None:
            return False
    return True


def _refused(sender: Sender) -> StartFailed:
    named = (fault_named(each.code) for each in sender.failures)
    fault = sender.fault() or next(filter(None, named), None)
    if fault is None:
        return StartFailed("the brokers do not take what is sent", "see that they run, and try again")
    return StartFailed(str(fault), fault.cure)
