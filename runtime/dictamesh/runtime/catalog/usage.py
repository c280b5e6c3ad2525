# SPDX-License-Identifier: Apache-2.0
"""Who used which fields and entities within the last days."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from dictamesh.runtime.catalog.catalog import Catalog
from dictamesh.runtime.catalog.sight import Sight, seen_types

_SUMS = b"""
SELECT entity, field, principal, purpose, sum(operations)::bigint AS operations, max(last_used_at) AS last_used
  FROM dictamesh_usage
 WHERE day >= %(since)s AND entity = ANY (%(entities)s::text[])
 GROUP BY entity, field, principal, purpose
 ORDER BY entity COLLATE "C", field COLLATE "C", principal COLLATE "C" NULLS FIRST, purpose COLLATE "C" NULLS FIRST
"""


class UsageHidden(Exception):  # noqa: N818 - the name says what is the case
    """The caller has no role of `usage.readers`."""


@dataclass(frozen=True, slots=True)
class Use:
    """Operations of one caller and purpose; ``principal`` null is everybody who is anonymous."""

    address: str
    principal: str | None
    purpose: str | None
    operations: int
    last_used: Annotated[datetime, Field(serialization_alias="lastUsed")]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Uses between two days, both included, in order of address and caller; what nobody used is not there."""

    since: Annotated[date, Field(serialization_alias="from")]
    until: Annotated[date, Field(serialization_alias="to")]
    fields: tuple[Use, ...]
    entities: tuple[Use, ...]


async def usage(catalog: Catalog, sight: Sight, days: int) -> UsageReport:
    """Uses of what the caller may know of; raises ``UsageHidden``, ``CatalogUnavailable``."""
    check_reader(catalog, sight)
    plan = catalog.plan()
    types = seen_types(await catalog.directory.known(), sight)
    addresses = [address for address, entity in plan.entities.items() if entity.name in types]
    until = datetime.now(UTC).date()
    since = until - timedelta(days=days - 1)
    rows = await uses_of(catalog, addresses, since)
    return UsageReport(
        since,
        until,
        tuple(_use(row, f"{row['entity']}.{row['field']}") for row in rows if row["field"]),
        tuple(_use(row, row["entity"]) for row in rows if not row["field"]),
    )


async def uses_of(catalog: Catalog, entities: Collection[str], since: date) -> list[dict[str, Any]]:
    """Sums by entity, field, caller and purpose from a day on."""
    return await catalog.pool.rows(_SUMS, {"since": since, "entities": sorted(entities)})


def may_read(catalog: Catalog, sight: Sight) -> bool:
    """Whether the caller may see who uses what."""
    readers = catalog.plan().mesh.usage.readers
    return readers is None or sight.has_role(readers)


def check_reader(catalog: Catalog, sight: Sight) -> None:
    """Raise ``UsageHidden`` unless the caller may see who uses what."""
    if not may_read(catalog, sight):
        raise UsageHidden


def _use(row: dict[str, Any], address: str) -> Use:
    return Use(address, row["principal"], row["purpose"], row["operations"], row["last_used"])
