# SPDX-License-Identifier: Apache-2.0
"""Where a mesh signs and publishes the ends of its audit, and where it keeps its ledger of erasures."""

from collections.abc import Callable
from pathlib import Path

from dictamesh.runtime.audit.heads import HeadSigner, Publisher
from dictamesh.runtime.audit.heads_file import HeadsFile
from dictamesh.runtime.audit.post import HeadsPost
from dictamesh.runtime.catalog.errors import CatalogUnavailable
from dictamesh.runtime.catalog.pool import Pool
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.lifecycle.ledger import FILE_NAME, DamagedLedger, LedgerFile
from dictamesh.runtime.lifecycle.replay import ForeignLedger, replay
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import needed_keys, signer
from dictamesh.runtime.mesh.references import Resolver

HEADS = "audit-heads.jsonl"
POSTED = "audit-heads.posted"


async def attest(
    plan: Plan,
    pool: Pool,
    resolver: Resolver,
    data_dir: Path,
    key: bytes,
    unpublished: Callable[[], None] = lambda: None,
) -> HeadSigner:
    """Make good what a restore undid, before anything is served, and return what signs; raises StartFailed."""
    try:
        await replay_erasures(pool, plan, ledger_of(plan, resolver, data_dir), key)
    except CatalogUnavailable as error:
        raise StartFailed(error.message, error.cure) from None
    return head_signer(plan, pool, resolver, data_dir, unpublished)


def head_signer(
    plan: Plan, pool: Pool, resolver: Resolver, data_dir: Path, unpublished: Callable[[], None] = lambda: None
) -> HeadSigner:
    """Return what signs for a mesh; raises StartFailed."""
    made = signer(plan, needed_keys(plan, resolver, [plan.mesh.audit.signing_key]), data_dir)
    record = HeadsFile(data_dir / HEADS)
    return HeadSigner(pool, plan.name, made, record, _elsewhere(plan, resolver, data_dir), unpublished)


def renew(heads: HeadSigner, plan: Plan, resolver: Resolver, data_dir: Path) -> None:
    """Let a changed plan sign with its key and publish where it says; raises StartFailed, and nothing is changed."""
    made = signer(plan, needed_keys(plan, resolver, [plan.mesh.audit.signing_key]), data_dir)
    heads.elsewhere = _elsewhere(plan, resolver, data_dir)
    heads.signer = made


def ledger_of(plan: Plan, resolver: Resolver, data_dir: Path) -> LedgerFile:
    """Return the file of the erasure ledger; raises StartFailed."""
    named = plan.mesh.erasure.ledger
    if named is None:
        return LedgerFile(data_dir / FILE_NAME)
    return LedgerFile(resolver.folder / resolver.text(named, "erasure.ledger"))


async def replay_erasures(pool: Pool, plan: Plan, ledger: LedgerFile, key: bytes) -> None:
    """Erase again whom a restored database brought back; raises StartFailed, `CatalogUnavailable`."""
    try:
        await replay(pool, plan, ledger, key)
    except DamagedLedger as damaged:
        cure = "restore the file from a backup: without it nobody can say who must stay erased"
        raise StartFailed(str(damaged), cure) from None
    except ForeignLedger as foreign:
        cure = "restore audit.key of the data folder, or the key that audit.key of the mesh file names"
        raise StartFailed(str(foreign), cure) from None
    except OSError as error:
        raise StartFailed(
            f"the erasure ledger {ledger.path} cannot be used ({error.strerror})",
            "see that the file belongs to this user, or correct 'erasure.ledger'",
        ) from None


def _elsewhere(plan: Plan, resolver: Resolver, data_dir: Path) -> tuple[Publisher, ...]:
    publish = plan.mesh.audit.publish
    if publish is None:
        return ()
    place = resolver.text(publish, "audit.publish")
    if "://" in place:
        return (HeadsPost(place, data_dir / POSTED),)
    return (HeadsFile(resolver.folder / place),)
