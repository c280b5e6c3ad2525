# SPDX-License-Identifier: Apache-2.0
"""Publishing signed heads by HTTP POST, to whoever keeps copies for the auditor."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from dictamesh.runtime.audit.heads import Unpublished, pages
from dictamesh.runtime.audit.statements import SignedHead
from dictamesh.runtime.catalog.pool import Pool

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class HeadsPost:
    """An address that takes each signed head, in order and at least once, as a JSON body; any 2xx acknowledges it.

    `state` is a file that holds the number of the last one that was acknowledged: after a restart the next one is sent.
    """

    url: str
    state: Path

    async def publish(self, pool: Pool, mesh: str) -> int:
        """Send what was not acknowledged yet; raises Unpublished, `CatalogUnavailable`."""
        count = 0
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
                async for page in pages(pool, mesh, await asyncio.to_thread(self._sent)):
                    for head in page:
                        await self._send(session, head)
                        count += 1
        except (aiohttp.ClientError, TimeoutError):
            raise Unpublished("the address of audit.publish cannot be reached") from None
        except OSError as error:
            raise Unpublished(f"{self.state} cannot be used ({error.strerror})") from None
        return count

    async def _send(self, session: aiohttp.ClientSession, head: SignedHead) -> None:
        sending = session.post(
            self.url, data=head.line(), headers={"Content-Type": "application/json"}, allow_redirects=False
        )
        async with sending as answer:
            if not 200 <= answer.status < 300:
                raise Unpublished(f"the address of audit.publish answered {answer.status}")
        await asyncio.to_thread(self._acknowledged, head.number)

    def _sent(self) -> int:
        try:
            text = self.state.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        return int(text) if text.isdigit() else 0

    def _acknowledged(self, number: int) -> None:
        draft = self.state.with_name(f".{self.state.name}.{os.getpid()}")
        draft.write_text(f"{number}\n", encoding="ascii")
        draft.replace(self.state)
