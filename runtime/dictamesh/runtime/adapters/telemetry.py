# SPDX-License-Identifier: Apache-2.0
"""What adapters tell of their work, in numbers and names of the plan alone."""

from typing import Protocol


class Telemetry(Protocol):
    """Hears of calls to sources and of look-ups in the cache; must be quick and must not raise."""

    def called(self, address: str, operation: str, outcome: str, seconds: float, rows: int, keys: int | None) -> None:
        """A call for the entity at `address` ended; `keys` were asked for if it was by value."""

    def looked_up(self, address: str, outcome: str, times: int) -> None:
        """Rows were looked up in the cache: `hit`, `miss` or `stale`."""


class Silent:
    """Telemetry that nobody hears."""

    def called(self, address: str, operation: str, outcome: str, seconds: float, rows: int, keys: int | None) -> None:
        pass

    def looked_up(self, address: str, outcome: str, times: int) -> None:
        pass


class Several:
    """Telemetry that several hear."""

    def __init__(self, *hearers: Telemetry) -> None:
        self._hearers = hearers

    def called(self, address: str, operation: str, outcome: str, seconds: float, rows: int, keys: int | None) -> None:
        for hearer in self._hearers:
            hearer.called(address, operation, outcome, seconds, rows, keys)

    def looked_up(self, address: str, outcome: str, times: int) -> None:
        for hearer in self._hearers:
            hearer.looked_up(address, outcome, times)


SILENT = Silent()
