-- SPDX-License-Identifier: Apache-2.0
DROP FUNCTION dictamesh_walk;
DROP FUNCTION dictamesh_relations;
DROP INDEX idx_dictamesh_entity_relationships_open;
DROP INDEX idx_dictamesh_entity_relationships_open_back;
DROP INDEX idx_dictamesh_entity_relationships_ended;
DROP INDEX idx_dictamesh_entity_relationships_ended_back;
DROP INDEX idx_dictamesh_entity_relationships_subject;
DROP INDEX idx_dictamesh_entity_relationships_object;
DROP INDEX idx_dictamesh_entity_relationships_type;
DROP INDEX idx_dictamesh_entity_relationships_metadata;
ALTER TABLE dictamesh_entity_relationships
    DROP CONSTRAINT fk_dictamesh_entity_relationships_kind,
    DROP CONSTRAINT chk_dictamesh_entity_relationships_confidence,
    DROP COLUMN subject_node,
    DROP COLUMN kind,
    DROP COLUMN object_node,
    DROP COLUMN provenance,
    DROP COLUMN confidence,
    DROP COLUMN first_seen_at,
    DROP COLUMN last_seen_at,
    RESET (fillfactor);
DROP TABLE dictamesh_relation_kinds;
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
DROP INDEX idx_dictamesh_entity_catalog_node;
DROP INDEX idx_dictamesh_entity_catalog_type;
DROP INDEX idx_dictamesh_entity_catalog_domain;
DROP INDEX idx_dictamesh_entity_catalog_product;
DROP INDEX idx_dictamesh_entity_catalog_status;
DROP INDEX idx_dictamesh_entity_catalog_pii;
DROP INDEX idx_dictamesh_entity_catalog_tier;
DROP INDEX idx_dictamesh_entity_catalog_schema;
-- What an editor or an event brought cannot be told apart any more by the release before.
DELETE FROM dictamesh_entity_relationships WHERE subject_entity_id <> '*' OR object_entity_id <> '*';
DELETE FROM dictamesh_entity_catalog WHERE source_entity_id <> '*' OR external;
ALTER TABLE dictamesh_entity_catalog
    DROP COLUMN node,
    DROP COLUMN provenance,
    DROP COLUMN external,
    DROP COLUMN guarded,
    DROP COLUMN description;
CREATE INDEX idx_dictamesh_entity_catalog_type ON dictamesh_entity_catalog (entity_type);
CREATE INDEX idx_dictamesh_entity_catalog_domain ON dictamesh_entity_catalog (domain);
CREATE INDEX idx_dictamesh_entity_catalog_product ON dictamesh_entity_catalog (mesh, product_id);
CREATE INDEX idx_dictamesh_entity_catalog_status ON dictamesh_entity_catalog (status);
CREATE INDEX idx_dictamesh_entity_catalog_pii ON dictamesh_entity_catalog (entity_type) WHERE contains_pii;
CREATE INDEX idx_dictamesh_entity_catalog_tier ON dictamesh_entity_catalog (data_classification);
CREATE INDEX idx_dictamesh_entity_catalog_schema ON dictamesh_entity_catalog (schema_id);
DROP TYPE dictamesh_provenance;
