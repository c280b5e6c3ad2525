# SPDX-License-Identifier: Apache-2.0
"""The L1 cache: whole mapped rows in this process, before policy (S25, RS-7, RS-10)."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dictamesh.runtime.resilience.clock import MONOTONIC, Clock
from dictamesh.runtime.resilience.settings import Cache

FORGOTTEN = 10_000
"""Changed keys that are remembered for reads under way; behind them nothing that was read before is kept."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A cached value, the seconds since it was put, and whether it is past its time to live (last known good)."""

    value: Any
    age: float
    stale: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    put_at: float
    expires_at: float


def namespace(mesh: str, *parts: str) -> str:
    """Return the prefix of all keys of a mesh, of an entity, or of an entity under one mapping; it ends with a colon.

    Raises ValueError for an empty part or one with a colon: only the key, which stands last, may hold one.
    """
    for part in (mesh, *parts):
        if not part or ":" in part:
            raise ValueError("a part of a cache namespace must be a non-empty text without a colon")
    return ":".join(("dictamesh", mesh, *parts, ""))


def cache_key(mesh: str, entity: str, mapping_hash: str, key: str) -> str:
    """Return `dictamesh:{mesh}:{Entity}:{mapping hash}:{key}`; `key` is the canonical text of S6."""
    return namespace(mesh, entity, mapping_hash) + key


class L1:
    """A least-recently-used cache of `size` entries with a time to live each, for one event loop.

    An entry past its time to live is kept `stale_for` seconds more and given out only to who asks for it. Values are
    kept as they are: who puts a value does not change it afterwards. Nothing empties more than one mesh's namespace.
    """

    def __init__(self, size: int = 1000, *, stale_for: float = 3600.0, clock: Clock = MONOTONIC) -> None:
        """`stale_for` in seconds. Raises ValueError for a size below 1 or a negative `stale_for`."""
        settings = Cache(size=size, stale_for=stale_for)
        self._size = settings.size
        self._stale_for = settings.stale_for
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._forgotten: OrderedDict[str, float] = OrderedDict()
        self._prefixes_forgotten: dict[str, float] = {}
        self._all_forgotten_at = -1.0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, *, stale_ok: bool = False) -> Hit | None:
        """Return the entry, or None; with `stale_ok` also an expired one, for `stale_for` more seconds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock.now()
        stale = now >= entry.expires_at
        if stale and now >= entry.expires_at + self._stale_for:
            del self._entries[key]
            return None
        if stale and not stale_ok:
            return None
        self._entries.move_to_end(key)
        return Hit(entry.value, now - entry.put_at, stale)

    def now(self) -> float:
        """Return the clock of the cache, for `put`."""
        return self._clock.now()

    def put(self, key: str, value: Any, ttl: float, read_at: float | None = None) -> None:
        """Keep `value` for `ttl` seconds, unless it was read before it was said to have changed.

        `read_at`: when reading it began, by `now`. Raises ValueError for None: the absence of a row is not cached.
        """
        if value is None:
            raise ValueError("absent rows are not cached")
        now = self._clock.now()
        if read_at is not None and self._forgotten_since(key, read_at):
            return
        if key not in self._entries and len(self._entries) >= self._size:
            self._make_room(now)
        self._entries[key] = _Entry(value, now, now + ttl)
        self._entries.move_to_end(key)

    def delete(self, key: str) -> bool:
        """Drop one entry; return whether there was one."""
        return self._entries.pop(key, None) is not None

    def forget(self, key: str) -> bool:
        """Drop an entry that has changed at its source, and what reads under way will bring of it."""
        self._forgotten[key] = self._clock.now()
        self._forgotten.move_to_end(key)
        if len(self._forgotten) > FORGOTTEN:
            _, self._all_forgotten_at = self._forgotten.popitem(last=False)
        return self.delete(key)

    def forget_all(self, prefix: str) -> None:
        """Keep nothing that reads under way will bring of a namespace: it is not known which entry has changed."""
        self._prefixes_forgotten[prefix] = self._clock.now()

    def _forgotten_since(self, key: str, read_at: float) -> bool:
        if self._all_forgotten_at >= read_at or self._forgotten.get(key, -1.0) >= read_at:
            return True
        return any(at >= read_at and key.startswith(prefix) for prefix, at in self._prefixes_forgotten.items())

    def delete_prefix(self, prefix: str, where: Callable[[Any], bool] = lambda _value: True) -> int:
        """Drop all entries whose key starts with `prefix` and whose value `where` accepts, and return how many.

        The prefix is one that `namespace` built, with or without the start of a key behind it. Raises ValueError for
        one that reaches beyond a mesh's own namespace (RS-10).
        """
        first, mesh, *rest = [*prefix.split(":"), "", ""]
        if first != "dictamesh" or not mesh or len(rest) < 3:
            raise ValueError("a cache prefix must start with 'dictamesh:<mesh>:'")
        doomed = [key for key, entry in self._entries.items() if key.startswith(prefix) and where(entry.value)]
        for key in doomed:
            del self._entries[key]
        return len(doomed)

    def _make_room(self, now: float) -> None:
        """Drop what is expired, then the least recently used until a tenth of the cache is free."""
        for key in [key for key, entry in self._entries.items() if now >= entry.expires_at]:
            del self._entries[key]
        keep = self._size - max(1, self._size // 10)
        while len(self._entries) > keep:
            self._entries.popitem(last=False)
