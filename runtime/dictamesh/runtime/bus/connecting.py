# SPDX-License-Identifier: Apache-2.0
"""Clients of librdkafka, and questions that end soon where the brokers refuse to answer."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException

from dictamesh.runtime.bus.refusals import BusUnavailable, Hearing, unusable

# heard by nobody: it tells of each attempt, in texts that are not ours
_LOG_LIBRARY = logging.getLogger("librdkafka")
_LOG_LIBRARY.addHandler(logging.NullHandler())
_LOG_LIBRARY.propagate = False
TIMEOUT = 15.0
_FIRST = 0.5  # of it, then twice as long each time: in between what was told is heard
_BREATH = 0.1  # between questions: some end at once
_AGAIN = frozenset({"_TRANSPORT", "_TIMED_OUT"})


def made(kind: Any, settings: Mapping[str, Any]) -> Any:
    """Return a client of librdkafka; raises BusUnavailable for settings that are of no use."""
    try:
        return kind(dict(settings), logger=_LOG_LIBRARY)
    except KafkaException as error:
        raise BusUnavailable(error.args[0].name(), unusable(settings)) from None
    except ValueError:
        raise BusUnavailable("INVALID_SETTINGS") from None


def asked(ask: Any, client: Any, hearing: Hearing, topic: str | None = None) -> Any:
    """Return the answer of brokers; raises BusUnavailable, at once where they refuse, which a client does not tell."""
    give_up = time.monotonic() + TIMEOUT
    patience = _FIRST
    while True:
        try:
            found = ask(timeout=min(patience, max(give_up - time.monotonic(), _FIRST)))
        except KafkaException as error:
            client.poll(0)
            code = error.args[0].name()
            if code not in _AGAIN or hearing.fault() is not None or time.monotonic() >= give_up:
                raise hearing.unavailable(code, topic) from None
            patience *= 2
            time.sleep(_BREATH)
            continue
        except ValueError:
            raise BusUnavailable("INVALID_SETTINGS") from None
        client.poll(0)
        hearing.answered()
        return found
