# SPDX-License-Identifier: Apache-2.0
"""How changes are noticed and where events go: what could not work is refused here, not at run time."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.expressions import call
from dictamesh.specs.expressions.tree import Column, Literal
from dictamesh.specs.manifest import Source, SourceColumn
from dictamesh.specs.model import Mesh
from dictamesh.specs.model.events import Changes, KafkaChanges, PollChanges, Tls
from dictamesh.specs.model.product import Output
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.resolve.declared import check_declared, check_each
from dictamesh.specs.resolve.naming import TOPIC, topic_name
from dictamesh.specs.resolve.sensitivity import Vocabulary
from dictamesh.specs.resolve.servers import UNKNOWN
from dictamesh.specs.resolve.webhooks import check_webhook, check_words
from dictamesh.specs.resolved import Declared, ResolvedEntity
from dictamesh.specs.suggest import suggest
from dictamesh.specs.types import Kind

CURSORS: Mapping[Kind, Any] = {
    Kind.TIMESTAMP: datetime(2000, 1, 1, tzinfo=UTC),
    Kind.DATE: date(2000, 1, 1),
    Kind.INT: 0,
    Kind.LONG: 0,
    Kind.DECIMAL: Decimal(0),
    Kind.STRING: "a",
}
"""Types whose values can grow, and a value of each."""
LONGEST_RETENTION = 10_000 * 365 * 86_400.0
WAYS = ("poll", "snapshot", "webhook", "postgres", "kafka")
FILLING = ("poll", "snapshot")
"""Ways that a webhook may stand beside: they notice what it missed."""


def check_changes(
    entities: Iterable[ResolvedEntity], mesh: Declared[Mesh], words: Vocabulary, findings: Findings
) -> None:
    """Check `changes` and the output port of every entity, and what two of them may not share."""
    slots: dict[tuple[str, str], ResolvedEntity] = {}
    for entity in entities:
        site = entity.product_site / "source" / entity.model.name / "changes"
        changes = entity.binding.changes
        if changes is not None:
            _check_ways(entity, changes, site, mesh, findings)
            _check_slot(entity, changes, site, slots, findings)
        port = entity.product.output.get(entity.model.name)
        if port is not None:
            _check_port(entity, port, mesh, words, findings)


def check_events(mesh: Declared[Mesh], entities: Mapping[str, ResolvedEntity], findings: Findings) -> None:
    """Check `events` of the mesh file."""
    events, site = mesh.model.events, mesh.site / "events"
    topic = events.dead_letters.topic
    if not TOPIC.match(topic) or topic in {".", ".."}:
        hint = "Up to 249 letters, digits, '.', '_' and '-'."
        findings.error("DM606", site / "deadLetters" / "topic", f"'{topic}' is no name for a topic", hint)
    for entity in entities.values():
        if topic_name(entity).replace(".", "_") == topic.replace(".", "_"):
            place = site / "deadLetters"
            at = place / "topic" if (place / "topic").exists else entity.site / "name"
            findings.error("DM606", at, f"'{topic}' is the topic of {entity.address}", "Name another topic.")
    for name, hook in events.hooks.items():
        _check_hook(hook.entities, site / "hooks" / name / "entities", entities, findings)
    kafka = events.kafka
    if kafka is not None and kafka.replication is not None and (kafka.min_in_sync or 1) > kafka.replication:
        message = f"{kafka.min_in_sync} replicas have to be in sync, and there are {kafka.replication} of a topic"
        findings.error("DM146", site / "kafka" / "minInSync", message, "Lower 'minInSync', or raise 'replication'.")
    for name, section in (("kafka", kafka), ("registry", events.registry)):
        if section is not None:
            _check_tls(section.tls, site / name / "tls", findings)


def _check_tls(tls: Tls | None, site: Site, findings: Findings) -> None:
    if tls is not None and (tls.certificate is None) != (tls.key is None):
        message = "a certificate and its key go together"
        findings.error("DM146", site.key_span, message, "Name both files, or none.")


def cursor_column(source: Source, fields: Mapping[str, Any], name: str) -> SourceColumn | None:
    """Return the column that a cursor names, itself or by the field that shows it."""
    columns = {column.name: column for column in source.columns}
    if name not in columns and name in fields and fields[name].column is not None:
        name = fields[name].column
    return columns.get(name)


def _check_hook(names: Iterable[str], site: Site, entities: Mapping[str, ResolvedEntity], findings: Findings) -> None:
    for index, name in enumerate(names):
        if name not in entities:
            near = suggest(name, entities)
            hint = f"did you mean '{near}'?" if near else "Write product#Entity."
            findings.error("DM143", site / index, f"there is no entity '{name}'", hint)


def _check_ways(entity: ResolvedEntity, changes: Changes, site: Site, mesh: Declared[Mesh], findings: Findings) -> None:
    ways = [name for name in WAYS if getattr(changes, name) is not None]
    _check_together(entity, ways, site, findings)
    if changes.webhook is not None:
        check_webhook(changes.webhook, site / "webhook", findings)
    if entity.server.manifest is UNKNOWN or entity.source.options is None:  # told of already
        return
    if changes.poll is not None:
        _check_poll(entity, changes.poll, site / "poll", findings)
    for way in FILLING:
        if way in ways and not entity.server.manifest.capabilities(entity.source).list:
            message = f"'{way}' lists all rows, and this source lists none"
            findings.error("DM142", (site / way).key_span, message, "Say how rows are listed, or use a webhook.")
    if changes.postgres is not None:
        _check_postgres(entity, site / "postgres", findings)
    if changes.kafka is not None:
        _check_kafka(changes.kafka, site / "kafka", mesh, findings)


def _check_together(entity: ResolvedEntity, ways: list[str], site: Site, findings: Findings) -> None:
    if not ways and not site.plain:
        message = "nothing is said of how changes are noticed"
        findings.error("DM141", site.key_span, message, f"Name one of {', '.join(WAYS)}.")
    if len(ways) > 1 and not (len(ways) == 2 and "webhook" in ways and set(ways) & set(FILLING)):
        first, second = ways[0], ways[1] if ways[:2] != ["poll", "webhook"] else ways[2]
        message = f"'{first}' and '{second}' would both tell of every change of {entity.address}"
        hint = "Keep one; only a webhook may stand beside a poll or a snapshot, which then fills its gaps."
        findings.error("DM141", (site / second).key_span, message, hint)


def _check_kafka(kafka: KafkaChanges, site: Site, mesh: Declared[Mesh], findings: Findings) -> None:
    events = mesh.model.events
    if not TOPIC.match(kafka.topic):
        hint = "Up to 249 letters, digits, '.', '_' and '-'."
        findings.error("DM606", site / "topic", f"'{kafka.topic}' is no name for a topic", hint)
    if kafka.event is not None:
        check_words(kafka.event, site / "event", findings)
    _check_tls(kafka.tls, site / "tls", findings)
    for name, given in (("sasl", kafka.sasl), ("tls", kafka.tls)):
        if given is not None and kafka.bootstrap is None:
            message = f"'{name}' is for brokers that are named here, and these are those of 'events.kafka'"
            findings.error("DM146", (site / name).key_span, message, "Add 'bootstrap', or leave it out.")
    if kafka.registry is not None:
        _check_tls(kafka.registry.tls, site / "registry" / "tls", findings)
        if kafka.format != "avro":
            message = "a registry knows the schemas of Avro, and these messages are JSON"
            findings.error("DM146", (site / "registry").key_span, message, "Add 'format: avro', or leave it out.")
    if not mesh.sound(mesh.site / "events"):
        return
    if kafka.bootstrap is None and events.kafka is None:
        hint = "Add 'bootstrap', or 'events: {kafka: {bootstrap: ...}}' to the mesh file."
        findings.error("DM145", site.key_span, "no broker is named for this topic", hint)
    if kafka.format == "avro" and kafka.registry is None and events.registry is None:
        hint = "Add 'registry: {url: ...}' here, or 'events: {registry: {url: ...}}' to the mesh file."
        findings.error("DM145", site / "format", "no registry is named that knows the schemas", hint)


def _check_poll(entity: ResolvedEntity, poll: PollChanges, site: Site, findings: Findings) -> None:
    column = cursor_column(entity.source, entity.fields, poll.cursor)
    if column is None:
        names = [each.name for each in entity.source.columns]
        near = suggest(poll.cursor, [*names, *entity.fields])
        where = f"Declare it under source.{entity.model.name}.columns, e.g. columns: {{{poll.cursor}: timestamp}}."
        hint = f"did you mean '{near}'?" if near else where
        findings.error("DM140", site / "cursor", f"{entity.address} has no column '{poll.cursor}'", hint)
        return
    kind = column.type.kind
    if kind not in CURSORS:
        message = f"'{poll.cursor}' is a {column.type}, whose values do not grow"
        findings.error("DM140", site / "cursor", message, "Name a column of times or of growing numbers.")
        return
    shown = next((each for each in entity.fields.values() if each.column == column.name and each.pii), None)
    if shown is not None:
        message = f"'{poll.cursor}' is personal data, and the catalog keeps how far a poll is"
        findings.error("DM140", site / "cursor", message, "Name a column of times or of growing numbers.")
        return
    if poll.look_back and kind is not Kind.TIMESTAMP:
        message = f"'lookBack' is a time, and the cursor '{poll.cursor}' is a {column.type}"
        findings.error("DM142", site / "lookBack", message, "Leave it out, or name a timestamp as the cursor.")
    _check_narrowing(entity, poll, column, site, findings)


def _check_narrowing(
    entity: ResolvedEntity, poll: PollChanges, column: SourceColumn, site: Site, findings: Findings
) -> None:
    """The source itself has to leave out rows whose cursor is older: else each poll would read all of them."""
    manifest, source = entity.server.manifest, entity.source
    if source.options is None or not manifest.capabilities(source).list:
        return
    if poll.parameter is not None and manifest.since is None:
        message = f"a {manifest.name} source takes no parameters"
        findings.error("DM142", site / "parameter", message, "Leave it out: the source is filtered by the cursor.")
        return
    if poll.parameter is not None and manifest.since is not None:
        source = manifest.since(source, column.name, poll.parameter)
    zone = entity.binding.default_timezone
    if column.type.kind is Kind.TIMESTAMP and zone != "UTC" and poll.parameter is None:
        message = f"times of '{poll.cursor}' are read in {zone}, and the source compares them as they stand"
        findings.error("DM142", site / "cursor", message, "Use 'snapshot', or a cursor that is no timestamp.")
        return
    condition = call("ge", Column((column.name,), column.type), Literal(CURSORS[column.type.kind], column.type))
    reason = manifest.filters(source, condition)
    if reason is not None:
        hint = "Name the parameter that takes the cursor ('parameter'), or use 'snapshot', which compares all rows."
        findings.error("DM142", site / "cursor", f"the source cannot leave out older rows: {reason}", hint)


def _check_postgres(entity: ResolvedEntity, site: Site, findings: Findings) -> None:
    manifest = entity.server.manifest
    if manifest.name != "postgres":
        message = f"'postgres' streams from a PostgreSQL server, and '{entity.server.id}' is a {manifest.name} one"
        findings.error("DM142", site.key_span, message, "Use poll, snapshot or webhook.")
    elif getattr(entity.source.options, "query", None) is not None:
        message = "'postgres' streams the rows of a table, and this entity is a query"
        findings.error("DM142", site.key_span, message, "Read the table itself, or use poll or snapshot.")


def _check_slot(
    entity: ResolvedEntity,
    changes: Changes,
    site: Site,
    slots: dict[tuple[str, str], ResolvedEntity],
    findings: Findings,
) -> None:
    """A slot moves on with whoever reads it: entities of one product share theirs, two readers would miss changes."""
    if changes.postgres is None:
        return
    slot = changes.postgres.slot or f"={entity.product.name}"  # `=` begins no name: the one that is made here
    earlier = slots.setdefault((entity.server.id, slot), entity)
    if earlier.product is not entity.product:
        message = f"the slot '{slot}' is read for {earlier.address} already"
        hint = "Leave 'slot' out, or name another: only entities of one product share one."
        findings.error("DM147", site / "postgres" / "slot", message, hint)
    elif _publication(earlier) != changes.postgres.publication:
        here = site / "postgres"
        place = here / "publication" if changes.postgres.publication else here.key_span
        message = f"{earlier.address} shares the slot and has another publication, and a slot streams one"
        findings.error("DM160", place, message, "Name the same 'publication' at both, or another 'slot'.")


def _publication(entity: ResolvedEntity) -> str | None:
    changes = entity.binding.changes
    return changes.postgres.publication if changes is not None and changes.postgres is not None else None


def _check_port(
    entity: ResolvedEntity, port: Output, mesh: Declared[Mesh], words: Vocabulary, findings: Findings
) -> None:
    site = entity.product_site / "output" / entity.model.name
    check_each(port.roles, "roles", mesh, site / "roles", findings)
    if port.purpose is not None:
        check_declared(port.purpose, "purposes", mesh, site / "purpose", findings)
    for index, name in enumerate(port.encrypt):
        if name in TIERS or name in words.tags or not words.complete:
            continue
        near = suggest(name, [*TIERS, *words.tags])
        hint = f"did you mean '{near}'?" if near else "Write a tag of the taxonomy or one of the four tiers."
        findings.error("DM143", site / "encrypt" / index, f"'{name}' is neither a tag nor a tier", hint)
    for index, name in enumerate(port.include):
        _check_include(entity, name, site / "include" / index, findings)
    if port.payload == "none" and port.encrypt:
        message = "nothing is encrypted where no value goes out"
        findings.error("DM143", (site / "encrypt").key_span, message, "Leave 'encrypt' out, or choose a payload.")
    if port.retention is not None and port.retention > LONGEST_RETENTION:
        findings.error("DM146", site / "retention", "no topic keeps events for so long", "Write a shorter time.")


def _check_include(entity: ResolvedEntity, name: str, at: Site, findings: Findings) -> None:
    field = entity.fields.get(name)
    if field is None:
        near = suggest(name, entity.fields)
        hint = f"did you mean '{near}'?" if near else f"The fields are: {', '.join(sorted(entity.fields))}."
        findings.error("DM143", at, f"{entity.address} has no field '{name}'", hint)
    elif field.pii:
        message = f"'{name}' is personal data, and metadata of events is read by everybody"
        findings.error("DM144", at, message, "Leave it out (EV-9).")
    elif not field.type.scalar:
        findings.error("DM143", at, f"'{name}' holds no single value", "Name fields with one short value.")
    elif field.tier not in {"public", "internal"}:
        message = f"'{name}' is {field.tier}, and metadata of events is read by everybody"
        findings.error("DM144", at, message, "Leave it out, or let readers see it in the payload.")
