# SPDX-License-Identifier: Apache-2.0
"""How far a stream is behind its source."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lag:
    """`bytes` of the source's log that are not recorded, `seconds` since the last recorded change was committed while
    something waits (0 otherwise), `held` bytes of log that the slot keeps, `status` in the source's words.
    """

    bytes: int
    seconds: float
    held: int
    status: str


Observe = Callable[[str, str, Lag], None]
"""Told of a product, its server and the lag of its slot."""


def unobserved(_product: str, _server: str, _lag: Lag) -> None:
    """Leave it untold."""
