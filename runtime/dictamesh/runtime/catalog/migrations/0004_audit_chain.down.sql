-- SPDX-License-Identifier: Apache-2.0
-- Back to rows without chains; the rows stay, what proved them is gone.
DROP TABLE dictamesh_audit_heads;
DROP TABLE dictamesh_audit_chains;
ALTER TABLE dictamesh_audit_logs DISABLE TRIGGER trg_dictamesh_audit_logs_append_only;
DO $body$
BEGIN
    IF to_regclass('dictamesh_audit_unchained') IS NOT NULL THEN
        ALTER TABLE dictamesh_audit_unchained DISABLE TRIGGER trg_dictamesh_audit_unchained_append_only;
        DELETE FROM dictamesh_audit_unchained u WHERE EXISTS (SELECT FROM dictamesh_audit_logs l WHERE l.id = u.id);
        INSERT INTO dictamesh_audit_logs (product, day, sequence, previous_hash, hash, id, occurred_at, recorded_at,
               principal, purpose, operation, entity_type, fields, denied_fields, success, error_code, subject_tokens,
               subject_count, occurrences, plan_hash, trace_id, duration_ms)
        SELECT '', '0001-01-01', row_number() OVER (), sha256(''), sha256(''), id, occurred_at, recorded_at, principal,
               purpose, operation, entity_type, fields, denied_fields, success, error_code, subject_tokens,
               subject_count, occurrences, plan_hash, trace_id, duration_ms
          FROM dictamesh_audit_unchained;
        DROP TABLE dictamesh_audit_unchained;
    END IF;
END
$body$;
ALTER TABLE dictamesh_audit_logs
    DROP CONSTRAINT uq_dictamesh_audit_logs_sequence,
    DROP CONSTRAINT chk_dictamesh_audit_logs_hashes,
    DROP CONSTRAINT chk_dictamesh_audit_logs_sequence,
    DROP COLUMN product,
    DROP COLUMN day,
    DROP COLUMN sequence,
    DROP COLUMN previous_hash,
    DROP COLUMN hash,
    ALTER COLUMN recorded_at SET DEFAULT now();
ALTER TABLE dictamesh_audit_logs ENABLE ALWAYS TRIGGER trg_dictamesh_audit_logs_append_only;
COMMENT ON TABLE dictamesh_audit_logs IS
    'DictaMesh: append-only; one row per operation and entity type that read personal data in clear or was denied.';
