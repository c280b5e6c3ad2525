# SPDX-License-Identifier: Apache-2.0
"""What stands around a call to a source (S23) and the cache of rows (S25)."""

from dictamesh.runtime.resilience.cache import L1, Hit, cache_key, namespace
from dictamesh.runtime.resilience.call import Guard, Listeners
from dictamesh.runtime.resilience.circuit import State
from dictamesh.runtime.resilience.clock import MONOTONIC, Clock
from dictamesh.runtime.resilience.declared import declared
from dictamesh.runtime.resilience.refusals import CallRefused, CircuitOpen, RateLimited, Saturated
from dictamesh.runtime.resilience.settings import Breaker, Bulkhead, Cache, RateLimit, Retry, Settings

__all__ = [
    "L1",
    "MONOTONIC",
    "Breaker",
    "Bulkhead",
    "Cache",
    "CallRefused",
    "CircuitOpen",
    "Clock",
    "Guard",
    "Hit",
    "Listeners",
    "RateLimit",
    "RateLimited",
    "Retry",
    "Saturated",
    "Settings",
    "State",
    "cache_key",
    "declared",
    "namespace",
]
