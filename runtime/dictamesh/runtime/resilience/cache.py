# SPDX-License-Identifier: Apache-2.0
"""The L1 cache: whole mapped rows in this process, before policy (S25, RS-7, RS-10)."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class _Told:
    """When a record, or one of many, was last said to have changed, and when to be gone."""

    changed: float = -1.0
    gone: float = -1.0


def _later(before: _Told, now: float, gone: bool) -> _Told:
    return _Told(now, now if gone else before.gone)


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
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._told_of: dict[str, _Told] = {}
        self._all_gone_at = -1.0

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
        """Keep `value` for `ttl` seconds.

        `read_at`: when reading it began, by `now`. A value that was read before its record was said to have changed is
        kept as expired, one of a record that is gone since is not. Raises ValueError for None: the absence of a row is
        not cached.
        """
        if value is None:
            raise ValueError("absent rows are not cached")
        now = self._clock.now()
        told = _Told() if read_at is None else self._told_about(key)
        if read_at is not None and told.gone >= read_at:
            return
        outdated = read_at is not None and told.changed >= read_at
        if key not in self._entries and len(self._entries) >= self._size:
            self._make_room(now)
        self._entries[key] = _Entry(value, now, now if outdated else now + ttl)
        self._entries.move_to_end(key)

    def delete(self, key: str) -> bool:
        """Drop one entry; return whether there was one."""
        return self._entries.pop(key, None) is not None

    def expire(self, key: str) -> bool:
        """End the time to live of an entry that has changed at its source; return whether it had not ended.

        It stays as last known good. So does what reads under way will bring of it.
        """
        self._tell(key, gone=False)
        return self._end(key)

    def forget(self, key: str) -> bool:
        """Drop an entry that is gone at its source, and what reads under way will bring of it; as `delete`."""
        self._tell(key, gone=True)
        return self.delete(key)

    def tell(self, prefix: str, *, gone: bool) -> None:
        """Hold for changed, or for `gone`, what reads under way will bring of a namespace: it is not known of which."""
        self._told_of[prefix] = _later(self._told_of.get(prefix, _Told()), self._clock.now(), gone)

    def _tell(self, key: str, *, gone: bool) -> None:
        self._told[key] = _later(self._told.get(key, _Told()), self._clock.now(), gone)
        self._told.move_to_end(key)
        if len(self._told) > FORGOTTEN:
            _, oldest = self._told.popitem(last=False)
            self._all_gone_at = max(self._all_gone_at, oldest.changed)

    def _told_about(self, key: str) -> _Told:
        found = [self._told.get(key, _Told()), *(at for prefix, at in self._told_of.items() if key.startswith(prefix))]
        gone = max(self._all_gone_at, *(each.gone for each in found))
        return _Told(max(each.changed for each in found), gone)

    def _end(self, key: str) -> bool:
        entry = self._entries.get(key)
        now = self._clock.now()
        if entry is None or entry.expires_at <= now:
            return False
        self._entries[key] = replace(entry, expires_at=now)
        return True

    def delete_prefix(self, prefix: str, where: Callable[[Any], bool] = lambda _value: True) -> int:
        """Drop all entries whose key starts with `prefix` and whose value `where` accepts, and return how many.

        The prefix is one that `namespace` built, with or without the start of a key behind it. Raises ValueError for
        one that reaches beyond a mesh's own namespace (RS-10).
        """
        return sum(self.delete(key) for key in self._under(prefix, where))

    def expire_prefix(self, prefix: str, where: Callable[[Any], bool]) -> int:
        """End the time to live of entries as `expire` does; which, and what is raised, as in `delete_prefix`."""
        return sum(self._end(key) for key in self._under(prefix, where))

    def _under(self, prefix: str, where: Callable[[Any], bool]) -> list[str]:
        first, mesh, *rest = [*prefix.split(":"), "", ""]
        if first != "dictamesh" or not mesh or len(rest) < 3:
            raise ValueError("a cache prefix must start with 'dictamesh:<mesh>:'")
        return [key for key, entry in self._entries.items() if key.startswith(prefix) and where(entry.value)]

    def _make_room(self, now: float) -> None:
        """Drop what is expired, then the least recently used until a tenth of the cache is free."""
        for key in [key for key, entry in self._entries.items() if now >= entry.expires_at]:
            del self._entries[key]
        keep = self._size - max(1, self._size // 10)
        while len(self._entries) > keep:
            self._entries.popitem(last=False)
