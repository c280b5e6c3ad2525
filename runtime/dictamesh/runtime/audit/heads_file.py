# SPDX-License-Identifier: Apache-2.0
"""Signed heads in a file: one a line, only ever appended to, readable by everybody; meshes may share one."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from dictamesh.runtime.audit.heads import Unpublished, pages
from dictamesh.runtime.audit.lines import PUBLIC, append_locked, cut_torn, last_line, locked
from dictamesh.runtime.audit.statements import SignedHead, of_mesh, read_line
from dictamesh.runtime.catalog.pool import Pool


@dataclass(frozen=True, slots=True)
class HeadsFile:
    """A record of signed heads."""

    path: Path

    async def last(self, mesh: str) -> SignedHead | None:
        """Return the last statement of a mesh that is there, None where there is none or it cannot be read."""
        return await asyncio.to_thread(self._last, mesh)

    async def publish(self, pool: Pool, mesh: str) -> int:
        """Append what the database has and the file has not; raises Unpublished, `CatalogUnavailable`."""
        count, known = 0, await self.last(mesh)
        try:
            async for page in pages(pool, mesh, known.number if known else 0):
                count += await asyncio.to_thread(self._append, mesh, page)
        except OSError as error:
            raise Unpublished(f"{self.path} cannot be written ({error.strerror})") from None
        return count

    def _append(self, mesh: str, page: list[SignedHead]) -> int:
        """Append those of a page that nobody else has appended meanwhile."""
        with locked(self.path, PUBLIC) as descriptor:
            cut_torn(descriptor)
            known = _last_of(descriptor, mesh)
            missing = [head for head in page if known is None or head.number > known.number]
            append_locked(descriptor, self.path, b"".join(head.line() for head in missing))
        return len(missing)

    def _last(self, mesh: str) -> SignedHead | None:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return _last_of(descriptor, mesh)
        finally:
            os.close(descriptor)


def _last_of(descriptor: int, mesh: str) -> SignedHead | None:
    """The last statement of a mesh; nearly always the last line, else the whole file is looked through."""
    head = _read(last_line(descriptor))
    if head is None or of_mesh(mesh, [head]):
        return head
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        heads = (_read(line) for line in file if line.endswith(b"\n"))
        found = of_mesh(mesh, (head for head in heads if head is not None))
    return max(found, key=lambda head: head.number, default=None)


def _read(line: bytes | None) -> SignedHead | None:
    try:
        return read_line(line) if line is not None else None
    except ValueError:
        return None
