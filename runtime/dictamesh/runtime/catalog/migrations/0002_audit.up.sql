-- SPDX-License-Identifier: Apache-2.0
-- The audit log (GV-5 as adapted by S30): who used or was denied which fields; no values, no e-mail, no address.

CREATE FUNCTION dictamesh_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'insufficient_privilege',
        MESSAGE = format('DictaMesh: %s is append-only', TG_TABLE_NAME);
END
$body$;
COMMENT ON FUNCTION dictamesh_refuse_change() IS 'DictaMesh: keeps a table append-only.';

CREATE TABLE dictamesh_audit_logs (
    id              uuid        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
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
    CONSTRAINT chk_dictamesh_audit_logs_operation
        CHECK (operation IN ('CREATE', 'READ', 'UPDATE', 'DELETE', 'SEARCH', 'EXPORT')),
    CONSTRAINT chk_dictamesh_audit_logs_subjects
        CHECK (cardinality(subject_tokens) <= 1000 AND subject_count >= cardinality(subject_tokens)),
    CONSTRAINT chk_dictamesh_audit_logs_occurrences CHECK (occurrences >= 1)
);
COMMENT ON TABLE dictamesh_audit_logs IS
    'DictaMesh: append-only; one row per operation and entity type that read personal data in clear or was denied.';
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
