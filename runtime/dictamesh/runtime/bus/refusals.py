# SPDX-License-Identifier: Apache-2.0
"""Why brokers do not take us: what librdkafka tells aside of its answers, which know a timeout only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from confluent_kafka import KafkaError

from dictamesh.runtime.bus.tls import Fault, Files, Unusable, probe, reachable, speaks_tls, trust

_KAFKA = "events.kafka"
_SERVER = re.compile(r"^(?:\w+://)?\[?([A-Za-z0-9._:-]+?)\]?:(\d{1,5})(?:/|$)")

# By librdkafka's names: they are the same in all its releases.
_FAULTS: Mapping[str, Fault] = {
    "_AUTHENTICATION": Fault(
        f"{_KAFKA}.sasl",
        "the brokers do not accept these credentials",
        "see username, password and mechanism, and that the brokers know the user for this mechanism",
    ),
    "UNSUPPORTED_SASL_MECHANISM": Fault(
        f"{_KAFKA}.sasl.mechanism", "the brokers do not offer this mechanism", "name one that they offer"
    ),
    "ILLEGAL_SASL_STATE": Fault(
        f"{_KAFKA}.sasl", "the brokers take no credentials there", "see the port, or remove 'sasl'"
    ),
    "TOPIC_AUTHORIZATION_FAILED": Fault(
        _KAFKA,
        "the brokers do not allow our principal what it does with a topic",
        "give it the ACL for that: Write to publish, Read to tail, Create to make topics, AlterConfigs to change them",
    ),
    "CLUSTER_AUTHORIZATION_FAILED": Fault(
        _KAFKA,
        "the brokers do not allow our principal to write to any topic",
        "give it the ACL Write for the topics of the mesh; before Kafka 3.0 IdempotentWrite on the cluster, too",
    ),
}
_HOLDS = 15.0  # seconds for which what a broker showed when asked is taken to be so
_DOWN = "_ALL_BROKERS_DOWN"  # says that there is no connection, not why


def fault_named(code: str) -> Fault | None:
    """Return what is known of an error by librdkafka's name for it, None where it is no refusal."""
    return _FAULTS.get(code)


class BusUnavailable(Exception):  # noqa: N818 - the name says what is the case
    """The brokers cannot be reached, or refuse; `code` is librdkafka's name for why, `fault` what is known of it."""

    def __init__(self, code: str, fault: Fault | None = None, topic: str | None = None) -> None:
        known = fault or _FAULTS.get(code)
        about = f", topic {topic}" if topic is not None else ""
        super().__init__(f"{known or 'the brokers cannot be used'} ({code}{about})")
        self.code = code
        self.fault = known

    @property
    def refused(self) -> bool:
        """Whether trying again is of no use until somebody mends something."""
        return self.fault is not None

    @property
    def cure(self) -> str:
        return self.fault.cure if self.fault is not None else "see that the brokers of events.kafka run"


@dataclass(slots=True)
class Hearing:
    """What librdkafka told of the connections of one client since an answer came; made its `error_cb`."""

    settings: Mapping[str, Any] = field(repr=False)
    error: KafkaError | None = field(default=None, init=False)
    _known: dict[tuple[str, str], tuple[float, Fault | None]] = field(default_factory=dict, init=False)

    def __call__(self, error: KafkaError) -> None:
        """Keep the newest error, and rather one that says why than that there is no connection."""
        if error.name() != _DOWN or self.error is None:
            self.error = error

    def answered(self) -> None:
        """Forget what was told: brokers answer."""
        self.error = None
        self._known.clear()

    def fault(self) -> Fault | None:
        """Return what is known of why no connection comes about; may ask a broker for some seconds: not on the loop."""
        error = self.error
        if error is None:
            return None
        key = error.name(), error.str().partition(": ")[0]
        if key not in self._known or monotonic() - self._known[key][0] > _HOLDS:
            self._known[key] = monotonic(), fault_of(error, self.settings)
        return self._known[key][1]

    def unavailable(self, code: str, topic: str | None = None) -> BusUnavailable:
        """Return what to raise where an answer did not come; may ask a broker as `fault` does."""
        fault = _FAULTS.get(code) or self.fault()
        told = self.error.name() if self.error is not None and code in {"_TRANSPORT", "_TIMED_OUT"} else code
        return BusUnavailable(told, fault, topic)


def fault_of(error: KafkaError, settings: Mapping[str, Any]) -> Fault | None:
    """Return what is known of an error that a client with these settings heard, None where it is no refusal."""
    if "Unsupported SASL mechanism" in error.str():  # its name is that of a wrong password
        return _FAULTS["UNSUPPORTED_SASL_MECHANISM"]
    known = _FAULTS.get(error.name())
    server = _server(error.str(), settings)
    if known is not None or server is None:
        return known
    protocol = str(settings.get("security.protocol"))
    fault = _by_tls(*server, settings) if "SSL" in protocol else _without_tls(*server)
    if fault is not None:
        return fault
    if error.name() == "_SSL":
        return Fault(f"{_KAFKA}.tls", "no connection by TLS comes about", "see the log of the brokers")
    if error.name() == _DOWN and "SASL" not in protocol and reachable(*server):
        what = "the brokers end our connections: they seem to ask for credentials"
        return Fault(f"{_KAFKA}.sasl", what, "declare 'sasl', or see the port")
    return None


def _by_tls(host: str, port: int, settings: Mapping[str, Any]) -> Fault | None:
    try:
        return probe(host, port, trust(files_of(settings)), _KAFKA)
    except Unusable as unusable:
        return unusable.fault


def _without_tls(host: str, port: int) -> Fault | None:
    if not speaks_tls(host, port):
        return None
    return Fault(f"{_KAFKA}.tls", "the brokers speak TLS there", "declare 'tls', with the file of their authority")


def unusable(settings: Mapping[str, Any]) -> Fault | None:
    """Return which file of TLS is of no use to a client with these settings, None where all are."""
    try:
        trust(files_of(settings))
    except Unusable as found:
        return found.fault
    return None


def files_of(settings: Mapping[str, Any]) -> Files:
    """Return the files of TLS that settings of a client name."""
    return Files(
        f"{_KAFKA}.tls",
        settings.get("ssl.ca.location"),
        settings.get("ssl.certificate.location"),
        settings.get("ssl.key.location"),
        settings.get("ssl.key.password"),
    )


def _server(told: str, settings: Mapping[str, Any]) -> tuple[str, int] | None:
    """The broker that an error tells of, otherwise the first that is named."""
    for text in (told, str(settings.get("bootstrap.servers", "")).split(",")[0].strip()):
        found = _SERVER.match(text)
        if found:
            return found[1], int(found[2])
    return None
