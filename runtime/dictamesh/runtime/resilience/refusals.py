# SPDX-License-Identifier: Apache-2.0
"""How a guard declines a call before the source is asked."""


class CallRefused(Exception):  # noqa: N818 - the subclasses name states, as `CircuitOpen` is called in the field
    """A call was declined on our side; the source was not asked.

    `name` is the guard's (the server's name in the mesh file), `retry_in` the seconds after which a call has a chance.
    """

    reason = "refused"

    def __init__(self, name: str, retry_in: float = 0.0) -> None:
        self.name = name
        self.retry_in = retry_in
        super().__init__(f"{name}: {self.reason}")


class CircuitOpen(CallRefused):
    """The source failed too often in a row; `retry_in` is 0 while trial calls are under way (RS-2, AD-8)."""

    reason = "circuit_open"


class Saturated(CallRefused):
    """All slots of the source are taken, and its queue is full or the wait in it took too long."""

    reason = "saturated"


class RateLimited(CallRefused):
    """The rate that the spec allows for the source leaves no room within the longest wait."""

    reason = "rate_limited"
