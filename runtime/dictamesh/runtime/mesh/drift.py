# SPDX-License-Identifier: Apache-2.0
"""Declared columns held against the live ones at the start (S1); `contract-test --live` says more."""

import asyncio
import logging

from dictamesh.connectors.sdk import SourceError
from dictamesh.runtime.compile.plan import EntityPlan, Plan
from dictamesh.runtime.mesh.lines import Lines

_LOG = logging.getLogger("dictamesh.mesh")
PATIENCE = 5.0  # seconds for one source


async def compare(plan: Plan, lines: Lines) -> dict[str, list[str]]:
    """Log and return, by entity address, the declared columns that their sources lack.

    A source that does not answer, or whose protocol names no columns, is passed over.
    """
    entities = list(plan.entities.values())
    found = await asyncio.gather(*(_missing(entity, lines) for entity in entities))
    drifted = {entity.address: missing for entity, missing in zip(entities, found, strict=True) if missing}
    for address, missing in drifted.items():
        _LOG.warning(
            "declared columns are missing in the source",
            extra={"entity": address, "server": plan.entities[address].server, "reason": ", ".join(missing)},
        )
    return drifted


async def _missing(entity: EntityPlan, lines: Lines) -> list[str]:
    try:
        async with asyncio.timeout(PATIENCE):
            live = await lines[entity.server].line.connector.describe(entity.source)
    except (SourceError, TimeoutError):
        return []
    except Exception as error:  # noqa: BLE001 - a stranger's connector may raise anything
        _LOG.warning("a connector could not describe a source", exc_info=error, extra={"entity": entity.address})
        return []
    if live is None:
        return []
    names = {column.name for column in live}
    return [column.name for column in entity.source.columns if column.name not in names]
