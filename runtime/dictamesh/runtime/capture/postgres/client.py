# SPDX-License-Identifier: Apache-2.0
"""A line to a source that speaks the replication protocol: slots and the stream of what was committed."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from dictamesh.runtime.capture.postgres.faults import SourceGone, source_errors
from dictamesh.runtime.capture.postgres.lsn import lsn_of, text_of
from dictamesh.runtime.capture.postgres.messages import status

MOST = 262_144  # bytes read before they are handled
_MUCH = 32_768  # bytes after which more is waited for: every transaction here costs as much as a hundred changes
_MORE = 0.002  # seconds
_SILENCE = 60.0  # seconds; the source is asked for a sign of life every `tick`
# Values come as text: what they look like must not depend on how the source is set up.
_TEXT = "-c DateStyle=ISO,MDY -c TimeZone=UTC -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex"
_RIGHT = {"42501": "ALTER ROLE its_role REPLICATION"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Which cluster answers, and where its log ends."""

    system: str
    end: int


@dataclass(frozen=True, slots=True)
class Point:
    """A new slot's consistent point: `snapshot` shows what was committed before `position`."""

    position: int
    snapshot: str


class Line:
    """One connection with `replication=database`. Methods raise `CaptureFailed`, `SourceGone` where it broke."""

    def __init__(self, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._sending = asyncio.Lock()

    @classmethod
    async def connect(cls, dsn: str, name: str) -> "Line":
        """Connect; `name` is shown in `pg_stat_replication`."""
        return cls(await _connected(dsn, name))

    async def identify(self) -> Identity:
        """Say which cluster this is."""
        row = await self._row(sql.SQL("IDENTIFY_SYSTEM"))
        return Identity(str(row[0]), lsn_of(row[2]))

    async def create(self, slot: str, *, temporary: bool = False) -> Point:
        """Make a slot and export the snapshot of its consistent point, which lives until the next command here."""
        kind = sql.SQL("TEMPORARY LOGICAL" if temporary else "LOGICAL")
        command = sql.SQL("CREATE_REPLICATION_SLOT {} {} pgoutput (SNAPSHOT 'export')")
        row = await self._row(command.format(sql.Identifier(slot), kind))
        return Point(lsn_of(row[1]), str(row[2]))

    async def start(self, slot: str, publication: str, position: int) -> None:
        """Begin to stream what was committed from `position` on."""
        command = sql.SQL(
            "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {}, messages 'false')"
        ).format(sql.Identifier(slot), sql.SQL(text_of(position)), sql.Literal(f'"{publication}"'))
        with source_errors("starting the stream", _RIGHT):
            self._pgconn.send_query(command.as_bytes(self._connection))
            self._pgconn.nonblocking = 1
            while self._pgconn.is_busy():
                await self._readable(_SILENCE)
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None or result.status != pq.ExecStatus.COPY_BOTH:
                raise self._refused(result)

    async def received(self) -> list[bytes]:
        """Return what has come in, waiting for the first message; at most about `MOST` bytes, or one message.

        Where much comes, the source is given the time to send more; a single change is never kept waiting.
        """
        found: list[bytes] = []
        size, fresh = 0, False  # whether the socket was looked at since the last message
        waited = 0  # bytes that were there when it was waited last
        with source_errors("reading the stream"):
            while size < MOST:
                length, data = self._pgconn.get_copy_data(1)
                if length > 0:
                    found.append(bytes(data))
                    size += length
                    fresh = False
                elif length < 0:
                    raise self._refused(self._pgconn.get_result())
                elif found and fresh:
                    if size < waited + _MUCH:
                        break
                    waited = size
                    await asyncio.sleep(_MORE)
                    self._pgconn.consume_input()
                else:
                    if not found:
                        await self._readable(_SILENCE)
                    self._pgconn.consume_input()
                    fresh = True
        return found

    async def tell(self, received: int, stored: int, *, asks: bool = False) -> None:
        """Tell the source how far everything is stored; `asks`: it is to give a sign of life."""
        async with self._sending:
            with source_errors("answering the source"):
                self._pgconn.put_copy_data(status(received, stored, datetime.now(UTC), asks=asks))
                while self._pgconn.flush():  # noqa: ASYNC110 - the socket tells nobody that it has room
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End the line at once; safe to call twice."""
        with contextlib.suppress(psycopg.Error):
            await self._connection.close()

    async def _row(self, command: sql.SQL | sql.Composed) -> TupleRow:
        with source_errors("preparing the stream", _RIGHT):
            row: TupleRow | None = await (await self._connection.execute(command)).fetchone()
        if row is None:
            raise SourceGone("preparing the stream: the source gave no answer", "see its log")
        return row

    async def _readable(self, patience: float) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        socket = self._pgconn.socket
        loop.add_reader(socket, _wake, ready)
        try:
            async with asyncio.timeout(patience):
                await ready
        except TimeoutError:
            raise SourceGone("the source is silent", "see that it can be reached") from None
        finally:
            loop.remove_reader(socket)

    def _refused(self, result: pq.abc.PGresult | None) -> psycopg.Error:
        if result is None or result.status != pq.ExecStatus.FATAL_ERROR:
            return psycopg.OperationalError()
        return psycopg.errors.error_from_result(result)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _connected(dsn: str, name: str) -> psycopg.AsyncConnection[TupleRow]:
    given = conninfo_to_dict(dsn)
    options = f"{given.get('options') or ''} {_TEXT}".strip()
    whole = make_conninfo(
        dsn,
        replication="database",
        application_name=name,
        options=options,
        client_encoding="UTF8",
        connect_timeout=given.get("connect_timeout") or "5",
        keepalives_idle="10",
        tcp_user_timeout="30000",
    )
    with source_errors("connecting for replication", _RIGHT):
        return await psycopg.AsyncConnection.connect(whole, autocommit=True)
