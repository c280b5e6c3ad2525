# SPDX-License-Identifier: Apache-2.0
"""The time that waits and deadlines are measured by."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """A monotonic clock in seconds and the sleep that goes with it, at the rate of the event loop's clock."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


MONOTONIC = Clock()
