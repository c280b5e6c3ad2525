# SPDX-License-Identifier: Apache-2.0
"""Kafka and its registry as commands reach them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dictamesh.runtime.bus.refusals import BusUnavailable
from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.publishing import registry_of
from dictamesh.runtime.mesh.references import Resolver


@contextlib.asynccontextmanager
async def bus_of(plan: Plan, resolver: Resolver) -> AsyncIterator[SchemaRegistry | None]:
    """A client of the plan's registry, if it has one, for a block that asks it and the brokers.

    Raises StartFailed where either cannot be used, with what helps.
    """
    registry = registry_of(plan, resolver)
    try:
        yield registry
    except BusUnavailable as error:
        raise StartFailed(str(error), error.cure) from None
    except RegistryRefused as error:
        raise StartFailed(str(error), error.fault.cure) from None
    except RegistryUnavailable as error:
        raise StartFailed(str(error), "see that the registry of events.registry runs") from None
    finally:
        if registry is not None:
            await registry.close()
            await asyncio.sleep(0)
