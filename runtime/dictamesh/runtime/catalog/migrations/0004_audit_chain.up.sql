-- SPDX-License-Identifier: Apache-2.0
-- The audit log as hash chains, one per product and day (S30), and the signed heads of these chains.

-- What was recorded before stands aside until the runtime chains it at its next start; it cannot be hashed in SQL.
ALTER TABLE dictamesh_audit_logs RENAME TO dictamesh_audit_unchained;
ALTER TABLE dictamesh_audit_unchained RENAME CONSTRAINT pk_dictamesh_audit_logs TO pk_dictamesh_audit_unchained;
ALTER TABLE dictamesh_audit_unchained
    RENAME CONSTRAINT chk_dictamesh_audit_logs_operation TO chk_dictamesh_audit_unchained_operation;
ALTER TABLE dictamesh_audit_unchained
    RENAME CONSTRAINT chk_dictamesh_audit_logs_subjects TO chk_dictamesh_audit_unchained_subjects;
ALTER TABLE dictamesh_audit_unchained
    RENAME CONSTRAINT chk_dictamesh_audit_logs_occurrences TO chk_dictamesh_audit_unchained_occurrences;
ALTER TRIGGER trg_dictamesh_audit_logs_append_only ON dictamesh_audit_unchained
    RENAME TO trg_dictamesh_audit_unchained_append_only;
DROP INDEX idx_dictamesh_audit_logs_time, idx_dictamesh_audit_logs_principal, idx_dictamesh_audit_logs_entity,
    idx_dictamesh_audit_logs_trace, idx_dictamesh_audit_logs_pii;
DO $body$
BEGIN
    IF NOT EXISTS (SELECT FROM dictamesh_audit_unchained) THEN
        DROP TABLE dictamesh_audit_unchained;
    END IF;
END
$body$;

CREATE TABLE dictamesh_audit_logs (
    product         text        COLLATE "C" NOT NULL,
    day             date        NOT NULL,
    sequence        bigint      NOT NULL,
    previous_hash   bytea       NOT NULL,
    hash            bytea       NOT NULL,
    id              uuid        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    principal       text,
    purpose         text,
    operation       text        NOT NULL,
    entity_type     text        NOT NULL,
    fields          text[]      NOT NULL,
    denied_fields   text[]      NOT NULL,
    pii_access      boolean     NOT NULL GENERATED ALWAYS AS (cardinality(fields) > 0) STORED,
    success         boolean     NOT NULL,
    error_code      text,
    subject_tokens  text[]      NOT NULL,
    subject_count   bigint      NOT NULL,
    occurrences     bigint      NOT NULL,
    plan_hash       text        NOT NULL,
    trace_id        varchar(64),
    duration_ms     double precision,
    CONSTRAINT pk_dictamesh_audit_logs PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_audit_logs_sequence UNIQUE (product, day, sequence),
    CONSTRAINT chk_dictamesh_audit_logs_hashes CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32),
    CONSTRAINT chk_dictamesh_audit_logs_sequence CHECK (sequence >= 1),
    CONSTRAINT chk_dictamesh_audit_logs_operation
        CHECK (operation IN ('CREATE', 'READ', 'UPDATE', 'DELETE', 'SEARCH', 'EXPORT')),
    CONSTRAINT chk_dictamesh_audit_logs_subjects
        CHECK (cardinality(subject_tokens) <= 1000 AND subject_count >= cardinality(subject_tokens)),
    CONSTRAINT chk_dictamesh_audit_logs_occurrences CHECK (occurrences >= 1)
);
COMMENT ON TABLE dictamesh_audit_logs IS
    'DictaMesh: append-only hash chains, one per product and day; one row per operation and entity type that read '
    'personal data in clear or was denied.';
COMMENT ON COLUMN dictamesh_audit_logs.day IS 'DictaMesh: the UTC day on which the row was chained.';
COMMENT ON COLUMN dictamesh_audit_logs.sequence IS 'DictaMesh: place in the chain of product and day, from 1.';
COMMENT ON COLUMN dictamesh_audit_logs.previous_hash IS
    'DictaMesh: hash of the row before; of the first row of a day, that of the last row of the product''s day before.';
COMMENT ON COLUMN dictamesh_audit_logs.hash IS
    'DictaMesh: SHA-256 of the canonical JSON (RFC 8785) of all other columns.';
COMMENT ON COLUMN dictamesh_audit_logs.recorded_at IS 'DictaMesh: when the row was chained, by the database''s clock.';
COMMENT ON COLUMN dictamesh_audit_logs.fields IS 'DictaMesh: fields with a pii tag that were served in clear.';
COMMENT ON COLUMN dictamesh_audit_logs.principal IS 'DictaMesh: name of the principal; NULL is anonymous.';
COMMENT ON COLUMN dictamesh_audit_logs.subject_tokens IS
    'DictaMesh: keyed hashes of the first 1,000 records; subject_count counts all of them.';
COMMENT ON COLUMN dictamesh_audit_logs.occurrences IS
    'DictaMesh: how many operations the row stands for; above 1 only where denials of anonymous were summed.';
CREATE INDEX idx_dictamesh_audit_logs_time ON dictamesh_audit_logs (occurred_at);
CREATE INDEX idx_dictamesh_audit_logs_principal ON dictamesh_audit_logs (principal, occurred_at);
CREATE INDEX idx_dictamesh_audit_logs_entity ON dictamesh_audit_logs (entity_type, occurred_at);
CREATE INDEX idx_dictamesh_audit_logs_trace ON dictamesh_audit_logs (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX idx_dictamesh_audit_logs_pii ON dictamesh_audit_logs (occurred_at) WHERE pii_access;

-- Statement level, so that it speaks even when no row would be met; ALWAYS, so that replication roles obey too.
CREATE TRIGGER trg_dictamesh_audit_logs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dictamesh_audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION dictamesh_refuse_change();
ALTER TABLE dictamesh_audit_logs ENABLE ALWAYS TRIGGER trg_dictamesh_audit_logs_append_only;

CREATE TABLE dictamesh_audit_chains (
    product   text   COLLATE "C" NOT NULL,
    day       date   NOT NULL DEFAULT '0001-01-01',
    sequence  bigint NOT NULL DEFAULT 0,
    row_count bigint NOT NULL DEFAULT 0,
    hash      bytea  NOT NULL,
    CONSTRAINT pk_dictamesh_audit_chains PRIMARY KEY (product),
    CONSTRAINT chk_dictamesh_audit_chains_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT chk_dictamesh_audit_chains_numbers CHECK (sequence >= 0 AND row_count >= sequence)
) WITH (fillfactor = 50);
COMMENT ON TABLE dictamesh_audit_chains IS
    'DictaMesh: the last row of each product''s chain; a writer holds its row until it commits. Proves nothing by itself.';
COMMENT ON COLUMN dictamesh_audit_chains.row_count IS 'DictaMesh: rows of the product over all its days.';

CREATE TABLE dictamesh_audit_heads (
    mesh      text        NOT NULL,
    number    bigint      NOT NULL,
    signed_at timestamptz NOT NULL,
    statement text        NOT NULL,
    key_id    text        NOT NULL,
    signature text        NOT NULL,
    CONSTRAINT pk_dictamesh_audit_heads PRIMARY KEY (mesh, number),
    CONSTRAINT chk_dictamesh_audit_heads_number CHECK (number >= 1)
);
COMMENT ON TABLE dictamesh_audit_heads IS
    'DictaMesh: append-only; signed statements of where the audit chains of all products end, each with the hash of the '
    'statement before it.';
COMMENT ON COLUMN dictamesh_audit_heads.statement IS 'DictaMesh: the canonical JSON (RFC 8785) that is signed.';
COMMENT ON COLUMN dictamesh_audit_heads.signature IS 'DictaMesh: Ed25519 over the statement''s UTF-8, in base64.';
COMMENT ON COLUMN dictamesh_audit_heads.key_id IS
    'DictaMesh: first 16 hex digits of the SHA-256 of the public key that verifies the signature.';
CREATE TRIGGER trg_dictamesh_audit_heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dictamesh_audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION dictamesh_refuse_change();
ALTER TABLE dictamesh_audit_heads ENABLE ALWAYS TRIGGER trg_dictamesh_audit_heads_append_only;
