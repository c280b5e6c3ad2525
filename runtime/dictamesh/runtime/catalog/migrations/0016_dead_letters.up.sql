-- SPDX-License-Identifier: Apache-2.0
-- Records that no event could be made of, or that a consumer could not handle: what was wrong, and the record sealed.

CREATE TABLE dictamesh_dead_letters (
    id              uuid        NOT NULL,
    mesh            text        NOT NULL,
    topic           text        NOT NULL,
    entity          text        NOT NULL,
    kind            text,
    stage           text        NOT NULL,
    rule            text        NOT NULL,
    error           text        NOT NULL,
    origin          text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 1,
    first_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_failed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    consumer_group  text,
    event_id        uuid,
    record_key      text,
    body            bytea,
    seal_id         text,
    fingerprint     bytea       NOT NULL,
    status          text        NOT NULL DEFAULT 'pending',
    settled_at      timestamptz,
    CONSTRAINT pk_dictamesh_dead_letters PRIMARY KEY (id),
    CONSTRAINT chk_dictamesh_dead_letters_status CHECK (status IN ('pending', 'retried', 'dropped')),
    CONSTRAINT chk_dictamesh_dead_letters_settled CHECK ((status = 'pending') = (settled_at IS NULL)),
    CONSTRAINT chk_dictamesh_dead_letters_attempts CHECK (attempts >= 1),
    CONSTRAINT chk_dictamesh_dead_letters_sealed CHECK ((body IS NULL) = (seal_id IS NULL))
);
COMMENT ON TABLE dictamesh_dead_letters IS
    'DictaMesh: records that no event could be made of, or that a consumer could not handle; no value of them in clear.';
COMMENT ON COLUMN dictamesh_dead_letters.entity IS 'DictaMesh: product#Entity.';
COMMENT ON COLUMN dictamesh_dead_letters.topic IS 'DictaMesh: where the event would have stood, or stands.';
COMMENT ON COLUMN dictamesh_dead_letters.kind IS 'DictaMesh: how the change was noticed; NULL for a failure of a consumer.';
COMMENT ON COLUMN dictamesh_dead_letters.record_key IS
    'DictaMesh: canonical key as topics bear it, a pseudonym where the key is personal data; NULL where it was not read.';
COMMENT ON COLUMN dictamesh_dead_letters.body IS
    'DictaMesh: nonce and AES-GCM ciphertext of the record, by a key that the database does not hold; NULL once erased.';
COMMENT ON COLUMN dictamesh_dead_letters.seal_id IS 'DictaMesh: which key sealed the body.';
COMMENT ON COLUMN dictamesh_dead_letters.fingerprint IS
    'DictaMesh: keyed hash of what failed where: the same record that fails again counts an attempt, and adds no row.';
CREATE UNIQUE INDEX idx_dictamesh_dead_letters_fingerprint ON dictamesh_dead_letters (mesh, fingerprint)
    WHERE status = 'pending';
CREATE INDEX idx_dictamesh_dead_letters_entity ON dictamesh_dead_letters (mesh, entity, last_failed_at);
CREATE INDEX idx_dictamesh_dead_letters_age ON dictamesh_dead_letters (last_failed_at);

CREATE TABLE dictamesh_webhook_deliveries (
    mesh        text        NOT NULL,
    entity      text        NOT NULL,
    id          bytea       NOT NULL,
    record      bytea,
    cursor      numeric,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_dictamesh_webhook_deliveries PRIMARY KEY (mesh, entity, id),
    CONSTRAINT chk_dictamesh_webhook_deliveries_cursor CHECK (cursor IS NULL OR record IS NOT NULL)
);
COMMENT ON TABLE dictamesh_webhook_deliveries IS
    'DictaMesh: deliveries that were recorded, so that a second one adds nothing and a late one undoes nothing.';
COMMENT ON COLUMN dictamesh_webhook_deliveries.id IS 'DictaMesh: keyed hash of what makes the delivery known.';
COMMENT ON COLUMN dictamesh_webhook_deliveries.record IS 'DictaMesh: keyed hash of the key of the record.';
COMMENT ON COLUMN dictamesh_webhook_deliveries.cursor IS
    'DictaMesh: how far the record had grown: the cursor column as a number, a time in microseconds since 1970.';
CREATE INDEX idx_dictamesh_webhook_deliveries_record ON dictamesh_webhook_deliveries (mesh, entity, record, cursor)
    WHERE record IS NOT NULL;
CREATE INDEX idx_dictamesh_webhook_deliveries_age ON dictamesh_webhook_deliveries (received_at);
