-- SPDX-License-Identifier: Apache-2.0
-- The metadata catalog: entities, declared relations and schemas (MC-2, MC-3, MC-4). PostgreSQL 15 or later.

CREATE FUNCTION dictamesh_touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$body$;
COMMENT ON FUNCTION dictamesh_touch_updated_at() IS 'DictaMesh: keeps updated_at current on every update.';

CREATE TABLE dictamesh_schemas (
    id                  uuid        NOT NULL DEFAULT gen_random_uuid(),
    entity_type         text        NOT NULL,
    version             text        NOT NULL,
    schema_format       text        NOT NULL,
    schema_definition   jsonb       NOT NULL,
    backward_compatible boolean     NOT NULL DEFAULT true,
    forward_compatible  boolean     NOT NULL DEFAULT false,
    published_at        timestamptz NOT NULL DEFAULT now(),
    deprecated_at       timestamptz,
    retired_at          timestamptz,
    CONSTRAINT pk_dictamesh_schemas PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_schemas_version UNIQUE (entity_type, version),
    CONSTRAINT chk_dictamesh_schemas_format CHECK (schema_format IN ('avro', 'json-schema'))
);
COMMENT ON TABLE dictamesh_schemas IS 'DictaMesh: one row per published version of an entity''s schema.';
CREATE INDEX idx_dictamesh_schemas_definition ON dictamesh_schemas USING gin (schema_definition jsonb_path_ops);

CREATE TABLE dictamesh_entity_catalog (
    id                    uuid          NOT NULL DEFAULT gen_random_uuid(),
    mesh                  text          NOT NULL,
    product_id            text          NOT NULL,
    product_version       text          NOT NULL,
    owner                 text,
    entity_type           text          NOT NULL,
    domain                text          NOT NULL,
    source_system         text          NOT NULL,
    source_entity_id      text          NOT NULL DEFAULT '*',
    key_fields            text[]        NOT NULL,
    api_base_url          text,
    api_path_template     text,
    api_method            text          NOT NULL DEFAULT 'GET',
    api_auth_type         text          NOT NULL DEFAULT 'none',
    schema_id             uuid,
    schema_version        text,
    created_at            timestamptz   NOT NULL DEFAULT now(),
    updated_at            timestamptz   NOT NULL DEFAULT now(),
    last_seen_at          timestamptz   NOT NULL DEFAULT now(),
    status                text          NOT NULL DEFAULT 'active',
    availability_sla      numeric(5, 4),
    latency_p99_ms        integer,
    freshness_sla_seconds integer,
    contains_pii          boolean       NOT NULL DEFAULT false,
    data_classification   text          NOT NULL,
    retention_days        integer,
    CONSTRAINT pk_dictamesh_entity_catalog PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_entity_catalog_source UNIQUE (source_system, source_entity_id, entity_type),
    CONSTRAINT fk_dictamesh_entity_catalog_schema FOREIGN KEY (schema_id) REFERENCES dictamesh_schemas (id),
    CONSTRAINT chk_dictamesh_entity_catalog_status CHECK (status IN ('active', 'deprecated', 'archived')),
    CONSTRAINT chk_dictamesh_entity_catalog_tier
        CHECK (data_classification IN ('public', 'internal', 'confidential', 'restricted')),
    CONSTRAINT chk_dictamesh_entity_catalog_auth
        CHECK (api_auth_type IN ('none', 'basic', 'bearer', 'api_key', 'oauth2')),
    CONSTRAINT chk_dictamesh_entity_catalog_availability CHECK (availability_sla BETWEEN 0 AND 1),
    CONSTRAINT chk_dictamesh_entity_catalog_times
        CHECK (latency_p99_ms >= 0 AND freshness_sla_seconds >= 0 AND retention_days >= 0)
);
COMMENT ON TABLE dictamesh_entity_catalog IS
    'DictaMesh: what entities exist, where and under which promises; never their data. A row with source_entity_id ''*'' '
    'stands for the type.';
COMMENT ON COLUMN dictamesh_entity_catalog.availability_sla IS 'DictaMesh: promised share of time, 0.9990 for 99.9 percent.';
COMMENT ON COLUMN dictamesh_entity_catalog.mesh IS 'DictaMesh: the mesh that registered the row last.';
CREATE INDEX idx_dictamesh_entity_catalog_type ON dictamesh_entity_catalog (entity_type);
CREATE INDEX idx_dictamesh_entity_catalog_domain ON dictamesh_entity_catalog (domain);
CREATE INDEX idx_dictamesh_entity_catalog_product ON dictamesh_entity_catalog (mesh, product_id);
CREATE INDEX idx_dictamesh_entity_catalog_status ON dictamesh_entity_catalog (status);
CREATE INDEX idx_dictamesh_entity_catalog_pii ON dictamesh_entity_catalog (entity_type) WHERE contains_pii;
CREATE INDEX idx_dictamesh_entity_catalog_tier ON dictamesh_entity_catalog (data_classification);
CREATE INDEX idx_dictamesh_entity_catalog_schema ON dictamesh_entity_catalog (schema_id);
CREATE TRIGGER trg_dictamesh_entity_catalog_touch BEFORE UPDATE ON dictamesh_entity_catalog
    FOR EACH ROW EXECUTE FUNCTION dictamesh_touch_updated_at();

CREATE TABLE dictamesh_entity_relationships (
    id                       uuid        NOT NULL DEFAULT gen_random_uuid(),
    subject_catalog_id       uuid        NOT NULL,
    subject_entity_type      text        NOT NULL,
    subject_entity_id        text        NOT NULL DEFAULT '*',
    relationship_type        text        NOT NULL,
    relationship_cardinality text        NOT NULL,
    object_catalog_id        uuid        NOT NULL,
    object_entity_type       text        NOT NULL,
    object_entity_id         text        NOT NULL DEFAULT '*',
    valid_from               timestamptz NOT NULL DEFAULT now(),
    valid_to                 timestamptz,
    subject_display_name     text,
    object_display_name      text,
    relationship_metadata    jsonb       NOT NULL DEFAULT '{}',
    created_by_event_id      text,
    created_at               timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_entity_relationships PRIMARY KEY (id),
    CONSTRAINT fk_dictamesh_entity_relationships_subject
        FOREIGN KEY (subject_catalog_id) REFERENCES dictamesh_entity_catalog (id),
    CONSTRAINT fk_dictamesh_entity_relationships_object
        FOREIGN KEY (object_catalog_id) REFERENCES dictamesh_entity_catalog (id),
    CONSTRAINT chk_dictamesh_entity_relationships_cardinality CHECK
        (relationship_cardinality IN ('one-to-one', 'one-to-many', 'many-to-one', 'many-to-many')),
    CONSTRAINT chk_dictamesh_entity_relationships_validity CHECK (valid_to > valid_from)
);
COMMENT ON TABLE dictamesh_entity_relationships IS
    'DictaMesh: relations between entities; ids ''*'' on both ends stand for a relation that a product declares.';
-- One open relation of a kind between two ends (ruling 10); also the target of the upsert.
CREATE UNIQUE INDEX idx_dictamesh_entity_relationships_open ON dictamesh_entity_relationships
    (subject_catalog_id, subject_entity_id, relationship_type, object_catalog_id, object_entity_id)
    WHERE valid_to IS NULL;
CREATE INDEX idx_dictamesh_entity_relationships_subject ON dictamesh_entity_relationships
    (subject_entity_type, subject_entity_id);
CREATE INDEX idx_dictamesh_entity_relationships_object ON dictamesh_entity_relationships
    (object_entity_type, object_entity_id);
CREATE INDEX idx_dictamesh_entity_relationships_object_id ON dictamesh_entity_relationships (object_catalog_id);
CREATE INDEX idx_dictamesh_entity_relationships_type ON dictamesh_entity_relationships (relationship_type);
CREATE INDEX idx_dictamesh_entity_relationships_metadata ON dictamesh_entity_relationships
    USING gin (relationship_metadata jsonb_path_ops);
