-- SPDX-License-Identifier: Apache-2.0
-- The event log (MC-5): outbox, embedded bus and history of every change. Only retention deletes from it.

CREATE FUNCTION dictamesh_refuse_change_but_retention() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    -- Where a role of this name exists, the setting alone is not enough: whoever deletes must be one of its members.
    IF TG_OP = 'DELETE' AND current_setting('dictamesh.retention', true) = 'on'
       AND NOT EXISTS (SELECT FROM pg_roles
                        WHERE rolname = 'dictamesh_retention' AND NOT pg_has_role(current_user, oid, 'MEMBER')) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'insufficient_privilege',
        MESSAGE = format('DictaMesh: %s is append-only', TG_TABLE_NAME);
END
$body$;
COMMENT ON FUNCTION dictamesh_refuse_change_but_retention() IS
    'DictaMesh: keeps a table append-only but for deletes by retention (SET LOCAL dictamesh.retention = ''on'').';

CREATE TABLE dictamesh_event_partitions (
    topic       text    COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL DEFAULT 0,
    CONSTRAINT pk_dictamesh_event_partitions PRIMARY KEY (topic, partition),
    CONSTRAINT chk_dictamesh_event_partitions_numbers CHECK (partition >= 0 AND next_offset >= 0)
) WITH (fillfactor = 50);
COMMENT ON TABLE dictamesh_event_partitions IS
    'DictaMesh: the next offset of each partition; a writer holds its row until it commits, so offsets appear in order.';

CREATE TABLE dictamesh_event_log (
    id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    topic           text        COLLATE "C" NOT NULL,
    partition       integer     NOT NULL,
    "offset"        bigint      NOT NULL,
    event_id        uuid        NOT NULL,
    event_type      text        NOT NULL,
    catalog_id      uuid,
    entity_type     text        NOT NULL,
    entity_id       text        NOT NULL,
    changed_fields  text[]      NOT NULL DEFAULT '{}',
    event_payload   jsonb       NOT NULL,
    trace_id        varchar(64),
    span_id         varchar(16),
    event_timestamp timestamptz NOT NULL,
    ingested_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_dictamesh_event_log PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_event_log_offset UNIQUE (topic, partition, "offset"),
    CONSTRAINT uq_dictamesh_event_log_event UNIQUE (event_id),
    CONSTRAINT chk_dictamesh_event_log_type CHECK (event_type IN ('CREATED', 'UPDATED', 'DELETED', 'ARCHIVED'))
);
COMMENT ON TABLE dictamesh_event_log IS
    'DictaMesh: append-only; every change as an event in order per partition, values only where a policy says so.';
COMMENT ON COLUMN dictamesh_event_log.entity_id IS
    'DictaMesh: canonical key of the record, a pseudonym where the key is personal data; also the key of the message.';
-- No foreign key: the log outlives the catalog and rebuilds it.
COMMENT ON COLUMN dictamesh_event_log.catalog_id IS 'DictaMesh: row of the catalog that the event is about, if known.';
COMMENT ON COLUMN dictamesh_event_log.event_payload IS 'DictaMesh: the envelope com.dictamesh.events as JSON.';
CREATE INDEX idx_dictamesh_event_log_entity ON dictamesh_event_log (entity_type, entity_id, id);
CREATE INDEX idx_dictamesh_event_log_trace ON dictamesh_event_log (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX idx_dictamesh_event_log_timestamp ON dictamesh_event_log USING brin (event_timestamp);
CREATE INDEX idx_dictamesh_event_log_ingested ON dictamesh_event_log USING brin (ingested_at);

CREATE TRIGGER trg_dictamesh_event_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dictamesh_event_log
    FOR EACH STATEMENT EXECUTE FUNCTION dictamesh_refuse_change_but_retention();
ALTER TABLE dictamesh_event_log ENABLE ALWAYS TRIGGER trg_dictamesh_event_log_append_only;
