# SPDX-License-Identifier: Apache-2.0
"""How changes of an entity are noticed (`changes`), and where events go (`events` of the mesh file)."""

from typing import Annotated, Literal

from pydantic import Field

from dictamesh.specs.manifest import SecretMark
from dictamesh.specs.model.parts import Duration, Names, OneOrMany, Part, PositiveDuration

PageSize = Annotated[int, Field(ge=1, le=10_000, description="rows of one read of a full pass")]
Pause = Annotated[Duration, Field(description="pause between the reads of a full pass")]


class PollChanges(Part):
    """Rows whose cursor grew are read at intervals; deletes are found by comparing keys."""

    every: Annotated[PositiveDuration, Field(description="how often rows with a newer cursor are read")] = 30.0
    cursor: Annotated[
        str, Field(description="the column whose value grows with every change of a row; a field may be named, too")
    ]
    parameter: Annotated[
        str | None,
        Field(description="REST: the query parameter that takes the cursor, where the source filters by it itself"),
    ] = None
    look_back: Annotated[
        Duration, Field(description="how far before the last cursor a read begins: commits may come late")
    ] = 0.0
    deletes: Annotated[
        PositiveDuration | None, Field(description="how often all keys are compared; null: deletes are not noticed")
    ] = 300.0
    page: PageSize = 100
    pause: Pause = 0.1


class SnapshotChanges(Part):
    """All rows are read at intervals and compared by their content."""

    every: Annotated[PositiveDuration, Field(description="how often all rows are read")] = 300.0
    page: PageSize = 100
    pause: Pause = 0.1


class Signature(Part):
    """The signature of a webhook: HMAC over the raw body, after the timestamp and a dot where there is one."""

    secret: Annotated[str, SecretMark(), Field(description="the key, by reference")]
    header: Annotated[str, Field(description="the header that bears it")] = "X-Signature"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, Field(description="what stands before it in the header, such as `sha256=`")] = ""
    timestamp: Annotated[
        str | None, Field(description="the header with the seconds since 1970 that are signed, too")
    ] = None
    tolerance: Annotated[
        PositiveDuration, Field(description="how far that time may lie from now, in both directions")
    ] = 300.0


class EventTypes(Part):
    """What the sender's words mean; a word of none of them is a bad record."""

    path: Annotated[str, Field(description="where the word stands in the body, as `event.type`")] = "event"
    created: OneOrMany = ("created",)
    updated: OneOrMany = ("updated",)
    deleted: OneOrMany = ("deleted",)


class WebhookChanges(Part):
    """The source tells of each change at `POST /webhooks/{product}/{entity}`."""

    signature: Signature
    id: Annotated[
        str | None,
        Field(description="what makes a delivery known: `header:NAME` or a path in the body; absent: a hash of it"),
    ] = None
    payload: Annotated[
        str | None, Field(description="where the row stands in the body, as `data.item`; absent: the body is the row")
    ] = None
    event: EventTypes = EventTypes()
    buffer: Annotated[int, Field(ge=1, le=10_000, description="deliveries that wait at most; more get 429")] = 100
    max_body: Annotated[int, Field(ge=1, le=16_777_216, description="bytes of a body at most")] = 1_048_576


class PostgresChanges(Part):
    """Every commit is streamed by logical decoding (`pgoutput`); PostgreSQL 15 and later."""

    slot: Annotated[
        str | None, Field(pattern=r"^[a-z0-9_]{1,63}$", description="the replication slot; absent: made of the names")
    ] = None
    publication: Annotated[
        str | None, Field(pattern=r"^[a-z0-9_]{1,63}$", description="the publication; absent: made of the names")
    ] = None
    heartbeat: Annotated[
        PositiveDuration, Field(description="how often an idle stream is moved on, so that it keeps no WAL")
    ] = 30.0
    page: PageSize = 1000
    pause: Pause = 0.0


class Sasl(Part):
    """Credentials for brokers."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str
    password: Annotated[str, SecretMark(), Field(description="by reference")]


class Tls(Part):
    """Files of TLS, relative to the mesh file; `certificate` and `key` make it mutual."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: Annotated[str, SecretMark()] | None = None


class Registry(Part):
    """A schema registry with Confluent's API."""

    url: str
    username: str | None = None
    password: Annotated[str, SecretMark()] | None = None
    tls: Tls | None = None
    compatibility: Literal["BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FULL", "NONE"] = "BACKWARD"
    timeout: PositiveDuration = 5.0


class KafkaChanges(Part):
    """A topic of somebody else is the source of changes; offsets are stored with the data."""

    topic: str
    bootstrap: Annotated[str | None, Field(description="its brokers; absent: those of `events.kafka`")] = None
    sasl: Sasl | None = None
    tls: Tls | None = None
    format: Literal["avro", "json"] = "json"
    registry: Annotated[
        Registry | None, Field(description="the registry that knows its schemas; absent: `events.registry`")
    ] = None
    payload: Annotated[str | None, Field(description="where the row stands in the value; absent: it is the row")] = None
    event: Annotated[
        EventTypes | None, Field(description="where the kind of change stands; absent: a value upserts, null deletes")
    ] = None


class Changes(Part):
    """How changes of an entity are noticed. A webhook may stand beside a poll or a snapshot, which then fills gaps."""

    poll: PollChanges | None = None
    snapshot: SnapshotChanges | None = None
    webhook: WebhookChanges | None = None
    postgres: PostgresChanges | None = None
    kafka: KafkaChanges | None = None


class KafkaProducer(Part):
    """Settings of the producer that publishes the log; it is idempotent and waits for all replicas (EV-13)."""

    linger: Duration = 0.01
    batch_size: Annotated[int, Field(ge=1, le=104_857_600, description="bytes")] = 16_384
    max_message: Annotated[int, Field(ge=1024, le=104_857_600, description="bytes")] = 1_048_576
    request_timeout: PositiveDuration = 30.0


class Kafka(Part):
    """Brokers that the event log is published to."""

    bootstrap: Annotated[str, Field(description="host:port, several separated by commas")]
    sasl: Sasl | None = None
    tls: Tls | None = None
    producer: KafkaProducer = KafkaProducer()
    min_in_sync: Annotated[int | None, Field(ge=1, description="min.insync.replicas of topics that are made")] = None
    replication: Annotated[
        int | None, Field(ge=1, description="replication of topics that are made, whatever their output ports say")
    ] = None


class DeadLetters(Part):
    """What becomes of records that cannot be read or handled."""

    topic: str = "system.dead_letter"
    keep: Annotated[PositiveDuration, Field(description="how long they are kept")] = 2_592_000.0
    retries: Annotated[int, Field(ge=0, le=100, description="tries of a handler before it")] = 3


class Hook(Part):
    """A signed HTTP POST of each event of some entities."""

    url: str
    entities: Annotated[Names, Field(description="product#Entity; absent: all")] = ()
    secret: Annotated[str, SecretMark(), Field(description="the key of the signature, by reference")]
    timeout: PositiveDuration = 5.0


class Events(Part):
    """Where events go; without `kafka` the event log is the bus."""

    kafka: Kafka | None = None
    registry: Registry | None = None
    dead_letters: DeadLetters = DeadLetters()
    hooks: dict[str, Hook] = {}
    capture: Annotated[bool, Field(description="whether this mesh watches its sources for changes")] = True
    lease: Annotated[
        PositiveDuration, Field(description="how often a replica tries to take over what a dead one did")
    ] = 2.0
    slot_keep: Annotated[
        PositiveDuration, Field(description="how long the slot of a removed product raises an alarm only")
    ] = 86_400.0
