-- SPDX-License-Identifier: Apache-2.0
-- Data subjects: their keys, and the ledger of who was erased (GV-12, SE-7).

CREATE TABLE dictamesh_subject_keys (
    subject_token   text        COLLATE "C" NOT NULL,
    subject_kind    text        NOT NULL,
    wrapped_key     bytea       NOT NULL,
    wrapping_key_id text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    destroyed_at    timestamptz,
    CONSTRAINT pk_dictamesh_subject_keys PRIMARY KEY (subject_token),
    CONSTRAINT chk_dictamesh_subject_keys_destroyed CHECK ((destroyed_at IS NULL) = (octet_length(wrapped_key) > 0))
);
COMMENT ON TABLE dictamesh_subject_keys IS
    'DictaMesh: one AES-256 key per data subject, wrapped by a key that the database does not hold; destroyed on erasure.';
COMMENT ON COLUMN dictamesh_subject_keys.subject_token IS 'DictaMesh: keyed hash of kind and id; the id stands nowhere.';
COMMENT ON COLUMN dictamesh_subject_keys.wrapped_key IS
    'DictaMesh: nonce and AES-GCM ciphertext of the key; overwritten by nothing when it is destroyed.';

-- A destroyed key leaves its row, so that nobody gets another one for the same subject.
CREATE FUNCTION dictamesh_keep_destroyed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF OLD.destroyed_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('DictaMesh: a destroyed key of %s stays destroyed', TG_TABLE_NAME);
    END IF;
    RETURN NEW;
END
$body$;
COMMENT ON FUNCTION dictamesh_keep_destroyed() IS 'DictaMesh: keeps destroyed keys destroyed.';
CREATE TRIGGER trg_dictamesh_subject_keys_destroyed BEFORE UPDATE ON dictamesh_subject_keys
    FOR EACH ROW EXECUTE FUNCTION dictamesh_keep_destroyed();
CREATE TRIGGER trg_dictamesh_subject_keys_kept BEFORE DELETE OR TRUNCATE ON dictamesh_subject_keys
    FOR EACH STATEMENT EXECUTE FUNCTION dictamesh_refuse_change();
ALTER TABLE dictamesh_subject_keys ENABLE ALWAYS TRIGGER trg_dictamesh_subject_keys_destroyed;
ALTER TABLE dictamesh_subject_keys ENABLE ALWAYS TRIGGER trg_dictamesh_subject_keys_kept;

CREATE TABLE dictamesh_erasures (
    number        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    id            uuid        NOT NULL,
    mesh          text        NOT NULL,
    subject_kind  text        NOT NULL,
    subject_token text        NOT NULL,
    token_key_id  text        NOT NULL,
    state         text        NOT NULL,
    requested_at  timestamptz NOT NULL,
    requested_by  text        NOT NULL,
    reason        text,
    deadline      timestamptz NOT NULL,
    entered_at    timestamptz NOT NULL,
    records       jsonb       NOT NULL,
    receipts      jsonb       NOT NULL,
    replayed      boolean     NOT NULL DEFAULT false,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_dictamesh_erasures PRIMARY KEY (number),
    CONSTRAINT uq_dictamesh_erasures_id UNIQUE (id),
    CONSTRAINT chk_dictamesh_erasures_state CHECK (state IN ('pending', 'done'))
);
COMMENT ON TABLE dictamesh_erasures IS
    'DictaMesh: append-only ledger of erasures; the entry of a subject made last says how things stand. Mirrored in a file '
    'outside the database, which a restored database is held against.';
COMMENT ON COLUMN dictamesh_erasures.records IS
    'DictaMesh: keyed hashes of the records concerned, by product and entity: enough to take them out again, not to know '
    'them.';
COMMENT ON COLUMN dictamesh_erasures.receipts IS 'DictaMesh: what was done in each product, as counts.';
COMMENT ON COLUMN dictamesh_erasures.token_key_id IS 'DictaMesh: which key made the hashes.';
COMMENT ON COLUMN dictamesh_erasures.replayed IS 'DictaMesh: entered from the file, because the database lacked it.';
CREATE INDEX idx_dictamesh_erasures_subject ON dictamesh_erasures (mesh, subject_kind, subject_token, entered_at);
CREATE TRIGGER trg_dictamesh_erasures_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dictamesh_erasures
    FOR EACH STATEMENT EXECUTE FUNCTION dictamesh_refuse_change();
ALTER TABLE dictamesh_erasures ENABLE ALWAYS TRIGGER trg_dictamesh_erasures_append_only;
