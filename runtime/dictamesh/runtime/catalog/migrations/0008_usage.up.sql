-- SPDX-License-Identifier: Apache-2.0
-- Who uses which fields, how products keep their service levels, and what is cached (MC-7).

CREATE TABLE dictamesh_usage (
    day          date        NOT NULL,
    entity       text        NOT NULL,
    field        text        NOT NULL,
    principal    text,
    purpose      text,
    operations   bigint      NOT NULL,
    last_used_at timestamptz NOT NULL,
    CONSTRAINT uq_dictamesh_usage_of UNIQUE NULLS NOT DISTINCT (day, entity, field, principal, purpose),
    CONSTRAINT chk_dictamesh_usage_operations CHECK (operations > 0)
);
COMMENT ON TABLE dictamesh_usage IS
    'DictaMesh: operations by day, field, caller and purpose; counted in the process and added up once a minute.';
COMMENT ON COLUMN dictamesh_usage.entity IS 'DictaMesh: address of the entity, as customers#Customer.';
COMMENT ON COLUMN dictamesh_usage.field IS 'DictaMesh: path of the field below the entity; empty stands for the entity itself.';
COMMENT ON COLUMN dictamesh_usage.principal IS 'DictaMesh: name of the caller; NULL is anonymous.';
CREATE INDEX idx_dictamesh_usage_entity ON dictamesh_usage (entity, day);

CREATE TABLE dictamesh_service_levels (
    since     timestamptz NOT NULL,
    entity    text        NOT NULL,
    calls     bigint      NOT NULL,
    worked    bigint      NOT NULL,
    stale     bigint      NOT NULL,
    durations bigint[]    NOT NULL,
    CONSTRAINT pk_dictamesh_service_levels PRIMARY KEY (since, entity),
    CONSTRAINT chk_dictamesh_service_levels_calls CHECK (worked BETWEEN 0 AND calls AND stale >= 0)
);
COMMENT ON TABLE dictamesh_service_levels IS
    'DictaMesh: calls to the source of an entity in each hour, to be held against its contract.';
COMMENT ON COLUMN dictamesh_service_levels.stale IS 'DictaMesh: rows served that were older than the contract allows.';
COMMENT ON COLUMN dictamesh_service_levels.durations IS 'DictaMesh: calls that worked, by bounds of their duration.';

CREATE TABLE dictamesh_cache_status (
    entity_catalog_id uuid         NOT NULL,
    entity_id         text         NOT NULL,
    cache_layer       text         NOT NULL,
    cached_at         timestamptz,
    expires_at        timestamptz,
    cache_key         varchar(500) NOT NULL,
    hit_count         bigint       NOT NULL DEFAULT 0,
    CONSTRAINT pk_dictamesh_cache_status PRIMARY KEY (entity_catalog_id, entity_id, cache_layer),
    CONSTRAINT fk_dictamesh_cache_status_entity
        FOREIGN KEY (entity_catalog_id) REFERENCES dictamesh_entity_catalog (id),
    CONSTRAINT chk_dictamesh_cache_status_layer CHECK (cache_layer IN ('l1_memory', 'l2_redis', 'l3_postgres'))
);
COMMENT ON TABLE dictamesh_cache_status IS
    'DictaMesh: what the caches keep; a row with entity_id ''*'' sums up an entity, single records stand only where they are observed.';
COMMENT ON COLUMN dictamesh_cache_status.cache_key IS 'DictaMesh: with the record''s id in the catalog for its key.';
CREATE INDEX idx_dictamesh_cache_status_expiry ON dictamesh_cache_status (expires_at);
