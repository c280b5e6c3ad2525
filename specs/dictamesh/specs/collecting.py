# SPDX-License-Identifier: Apache-2.0
"""Building without the cyclic collector at work, and serving with less of it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (10_000, 20, 20)  # a page of events makes thousands of objects, of which none is in a cycle


@contextmanager
def uncollected() -> Iterator[None]:
    """Suspend the cyclic garbage collector, as it was found it is left.

    A phase allocates what lives on; each collection would walk all of it again (half the time of a thousand products).
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def settled() -> None:
    """Leave what lives now out of collections from now on, and let them be fewer.

    Once a program has started, all it has made lives on; walking that again took a fifth of the time of capture. What
    is frozen is still freed when nothing refers to it, unless it is in a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
