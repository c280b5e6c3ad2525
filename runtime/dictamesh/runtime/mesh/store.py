# SPDX-License-Identifier: Apache-2.0
"""The database of a running mesh: embedded or by `catalog.dsn`, migrated, with the audit log and the registration."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from dictamesh.runtime.audit.earlier import chain_earlier_rows
from dictamesh.runtime.audit.file import FILE_NAME, import_jsonl
from dictamesh.runtime.audit.heads import HeadSigner
from dictamesh.runtime.audit.keys import Signer
from dictamesh.runtime.audit.log import AuditLog, open_audit
from dictamesh.runtime.catalog import cluster
from dictamesh.runtime.catalog.deployments import Deployment, remember
from dictamesh.runtime.catalog.errors import CatalogUnavailable, RegistrationRejected
from dictamesh.runtime.catalog.graph.derive import cardinality_of
from dictamesh.runtime.catalog.migrate import status, up
from dictamesh.runtime.catalog.ownership import Ownership, own
from dictamesh.runtime.catalog.pool import Pool, PoolSettings, open_pool
from dictamesh.runtime.catalog.queries import Locations
from dictamesh.runtime.catalog.registration import register
from dictamesh.runtime.catalog.rows import EntityRow, Registration, RelationRow, SchemaRow
from dictamesh.runtime.catalog.search.documents import documents
from dictamesh.runtime.compile.plan import EntityPlan, Plan, ProductPlan
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.references import Resolver, shown
from dictamesh.specs.diagnostics import Source
from dictamesh.specs.model.mesh import Catalog

_LOG = logging.getLogger("dictamesh.mesh")
_LAST_PUBLICATION = 2.0  # seconds of a shutdown
OPEN_TIERS = frozenset({"public", "internal"})
"""Tiers that every authenticated caller sees in clear where no policy speaks (S15)."""


@dataclass(slots=True)
class Store:
    """An open catalog. `where` is a text for people; it holds no password."""

    pool: Pool
    audit: AuditLog
    locations: Locations
    where: str
    embedded: cluster.Cluster | None
    lock: Ownership | None
    heads: HeadSigner | None = None

    async def register(self, plan: Plan, resolver: Resolver) -> None:
        """Write the plan's rows in one transaction (MC-8); raises StartFailed."""
        try:
            await register(self.pool, registration(plan, resolver))
        except RegistrationRejected as error:
            raise StartFailed(f"the catalog refuses {error.subject}: {error.message}", "correct its spec") from None
        except CatalogUnavailable as error:
            raise StartFailed(error.message, error.cure) from None

    async def deployed(self, plan: Plan, config: Path, sources: Mapping[str, Source]) -> None:
        """Keep the spec files of what is served now; raises StartFailed."""
        files = {name: source.text for name, source in sources.items()}
        try:
            await remember(self.pool, Deployment(plan.name, plan.hash, config.name, files))
        except CatalogUnavailable as error:
            raise StartFailed(error.message, error.cure) from None

    def signer(self) -> Signer:
        """What signs the audit now; raises RuntimeError before the mesh is open."""
        if self.heads is None:
            raise RuntimeError("nothing signs yet")
        return self.heads.signer

    async def close(self) -> None:
        """Write and sign what the audit still holds, close the pool, stop the embedded server, release the folder."""
        await self.audit.close()
        if self.heads is not None:
            try:
                await self.heads.sign()
                async with asyncio.timeout(_LAST_PUBLICATION):
                    await self.heads.publish()
            except TimeoutError:
                _LOG.warning("the last audit heads are published at the next start")
            except CatalogUnavailable as error:
                _LOG.error("the end of the audit is not signed", extra={"reason": str(error)})
        await self.pool.close()
        if self.embedded is not None:
            await self.embedded.stop()
        if self.lock is not None:
            self.lock.release()


async def open_store(declared: Catalog, data_dir: Path, resolver: Resolver) -> Store:
    """Open the catalog and bring its schema up to date; raises StartFailed with nothing left running."""
    embedded: cluster.Cluster | None = None
    lock: Ownership | None = None
    pool: Pool | None = None
    try:
        if declared.dsn is None:
            embedded = await cluster.start(data_dir)
            dsn, where = embedded.dsn, f"embedded PostgreSQL in {data_dir}"
        else:
            lock = await asyncio.to_thread(own, data_dir)
            dsn, where = resolver.text(declared.dsn, "catalog.dsn"), "PostgreSQL of catalog.dsn"
        pool = await open_pool(dsn, PoolSettings(declared.pool.max, min(declared.pool.idle, declared.pool.max)))
        await _migrate(pool, declared)
        await chain_earlier_rows(pool)
        await import_jsonl(pool, data_dir / FILE_NAME)
        return Store(pool, open_audit(pool), Locations(pool), where, embedded, lock)
    except BaseException as error:
        if pool is not None:
            await pool.close()
        if embedded is not None:
            await embedded.stop()
        if lock is not None:
            lock.release()
        if isinstance(error, CatalogUnavailable):
            raise StartFailed(error.message, error.cure) from None
        if isinstance(error, OSError):
            raise StartFailed(
                f"a file of the data folder {data_dir} cannot be used ({error.strerror})",
                "see that its files belong to this user, or choose another --data-dir",
            ) from None
        raise


async def _migrate(pool: Pool, declared: Catalog) -> None:
    if declared.auto_migrate:
        for migration in await up(pool):
            _LOG.info("migrated the catalog", extra={"version": migration.version})
        return
    pending = (await status(pool)).pending
    if pending:
        raise StartFailed(f"{len(pending)} migrations of the catalog are pending", "run 'dictamesh-runtime migrate up'")


def registration(plan: Plan, resolver: Resolver) -> Registration:
    """Return the catalog rows of a plan; addresses of servers are resolved, secrets are not among them."""
    return Registration(
        mesh=plan.name,
        entities=tuple(_entity(entity, plan, resolver) for entity in plan.entities.values()),
        relations=tuple(
            RelationRow(
                name=link.name,
                subject=entity.name,
                object=plan.entities[link.target].name,
                cardinality=cardinality_of(entity, link),
                inverse=link.inverse,
            )
            for entity in plan.entities.values()
            for link in entity.links
            if link.declared
        ),
        schemas=tuple(_schema(entity, plan.products[entity.product]) for entity in plan.entities.values()),
        documents=documents(plan),
    )


def _schema(entity: EntityPlan, product: ProductPlan) -> SchemaRow:
    """A version ends with the support for its product, and with its life (SR-4)."""
    return SchemaRow(
        entity_type=entity.name,
        version=product.version,
        definition=entity.avro,
        deprecated=product.status in {"deprecated", "retired"},
        deprecated_at=_instant(product.sla["endOfSupport"]),
        retired=product.status == "retired",
        retired_at=_instant(product.sla["endOfLife"]),
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _entity(entity: EntityPlan, plan: Plan, resolver: Resolver) -> EntityRow:
    row = dict(entity.catalog) | {"description": entity.description, "guarded": guarded(entity, plan)}
    url = row["api_base_url"]
    row["api_base_url"] = shown(url, resolver, f"servers.{entity.server}.url") if url else None
    row["availability_sla"] = Decimal(str(row["availability_sla"]))
    return EntityRow(**row)


def guarded(entity: EntityPlan, plan: Plan) -> bool:
    """Whether some policy may hide the entity, or records of it, from an authenticated caller."""
    keys = [entity.field(name) for name in entity.key]
    return (
        bool(plan.rules.rows.get(entity.address))
        or any(link.restrict for link in entity.links)
        or any(plan.rules.fields.get(key.address) or key.tier not in OPEN_TIERS for key in keys)
    )
