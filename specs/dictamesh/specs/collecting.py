# SPDX-License-Identifier: Apache-2.0
"""Building without the cyclic collector at work."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
