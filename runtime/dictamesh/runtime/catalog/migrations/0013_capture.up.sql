-- SPDX-License-Identifier: Apache-2.0
-- What capture knows: where each source stands, and what was last seen of each record, as keyed hashes.

CREATE TABLE dictamesh_capture_state (
    mesh            text        COLLATE "C" NOT NULL,
    entity          text        COLLATE "C" NOT NULL,
    kind            text        COLLATE "C" NOT NULL,
    server          text        COLLATE "C" NOT NULL,
    cursor          text        COLLATE "C" NOT NULL,
    epoch           bigint      NOT NULL DEFAULT 0,
    owner           text        NOT NULL DEFAULT '',
    key_id          text        NOT NULL DEFAULT '',
    status          text        NOT NULL DEFAULT 'new',
    position        jsonb,
    pass_id         text,
    pass_started_at timestamptz,
    pass_unsound    boolean     NOT NULL DEFAULT false,
    last_pass_at    timestamptz,
    error           text,
    paused_at       timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_dictamesh_capture_state PRIMARY KEY (mesh, entity, kind, server, cursor),
    CONSTRAINT chk_dictamesh_capture_state_kind CHECK (kind IN ('poll', 'snapshot', 'webhook', 'postgres', 'kafka')),
    CONSTRAINT chk_dictamesh_capture_state_status CHECK (status IN ('new', 'running', 'failed', 'lost', 'paused'))
) WITH (fillfactor = 50);
COMMENT ON TABLE dictamesh_capture_state IS
    'DictaMesh: where the source of each captured entity stands; written in the transaction of the events.';
COMMENT ON COLUMN dictamesh_capture_state.epoch IS
    'DictaMesh: grows with every new owner; a batch of an earlier one is refused.';
COMMENT ON COLUMN dictamesh_capture_state.owner IS 'DictaMesh: host and process that owned it last.';
COMMENT ON COLUMN dictamesh_capture_state.key_id IS
    'DictaMesh: names the key that records were hashed with, without telling it.';
COMMENT ON COLUMN dictamesh_capture_state.status IS
    'DictaMesh: failed is tried again; lost needs a person, as when a replication slot is gone; paused left the mesh.';
COMMENT ON COLUMN dictamesh_capture_state.position IS
    'DictaMesh: where to go on, in the words of the way that wrote it; null before its first batch.';
COMMENT ON COLUMN dictamesh_capture_state.pass_id IS 'DictaMesh: the full pass that is under way or was the last.';
COMMENT ON COLUMN dictamesh_capture_state.pass_unsound IS
    'DictaMesh: the pass met records whose key could not be read, so what it did not see is not deleted.';
COMMENT ON COLUMN dictamesh_capture_state.error IS 'DictaMesh: why it failed, a text of the runtime, never a value.';

CREATE TABLE dictamesh_entity_state (
    entity       text        COLLATE "C" NOT NULL,
    entity_id    text        COLLATE "C" NOT NULL,
    mesh         text        COLLATE "C" NOT NULL,
    version      bigint      NOT NULL,
    deleted      boolean     NOT NULL DEFAULT false,
    field_hashes bytea       NOT NULL DEFAULT '',
    content_hash bytea       NOT NULL DEFAULT '',
    bad_hash     bytea       NOT NULL DEFAULT '',
    withdrawn    text,
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_dictamesh_entity_state PRIMARY KEY (entity, entity_id, mesh),
    CONSTRAINT chk_dictamesh_entity_state_version CHECK (version >= 0),
    CONSTRAINT chk_dictamesh_entity_state_withdrawn CHECK (withdrawn IN ('erasure', 'retention'))
) WITH (fillfactor = 70);
COMMENT ON TABLE dictamesh_entity_state IS
    'DictaMesh: the version of each captured record, and keyed hashes of its fields as they were last seen; no values.';
COMMENT ON COLUMN dictamesh_entity_state.entity_id IS
    'DictaMesh: canonical key of the record, a pseudonym where the key is personal data.';
COMMENT ON COLUMN dictamesh_entity_state.version IS
    'DictaMesh: of its latest event; 0 where nothing but a bad record was seen. It never goes back.';
COMMENT ON COLUMN dictamesh_entity_state.field_hashes IS
    'DictaMesh: pairs of 8 bytes, a hash of the field''s name and a keyed one of its value; empty once deleted.';
COMMENT ON COLUMN dictamesh_entity_state.bad_hash IS
    'DictaMesh: of the bad record that became a dead letter last, so that it becomes one once.';
COMMENT ON COLUMN dictamesh_entity_state.withdrawn IS
    'DictaMesh: the mesh took the record out while its source may still hold it; it does not come back by itself.';
