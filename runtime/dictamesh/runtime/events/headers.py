# SPDX-License-Identifier: Apache-2.0
"""Headers of messages of anybody, as the Kafka library gives them."""

from operator import methodcaller
from typing import Any

# The library answers a name that is no UTF-8 with a list that has holes, and an exception beside it. Who calls the
# method in place gets the list once Python has specialised the call, and the process dies of the holes; a call by
# way of `PyObject_Call` is checked, and raises.
_ASK = methodcaller("headers")


def headers_of(message: Any) -> dict[str, bytes]:
    """Return the headers of a message that have a value, the last of each name; none where a name is no UTF-8."""
    try:
        found = _ASK(message) or ()
    except (SystemError, UnicodeError):
        return {}
    return {name: value for name, value in found if isinstance(value, bytes)}
