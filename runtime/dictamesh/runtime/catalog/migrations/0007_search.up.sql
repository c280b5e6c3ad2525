-- SPDX-License-Identifier: Apache-2.0
-- What full-text search finds: products, entities, fields and relations by their metadata; never a value (MC-20).

CREATE TABLE dictamesh_search_documents (
    mesh           text    NOT NULL,
    kind           text    NOT NULL,
    address        text    NOT NULL,
    name           text    NOT NULL,
    product        text    NOT NULL,
    entity_types   text[]  NOT NULL,
    domain         text,
    owner          text,
    classification text,
    status         text    NOT NULL,
    pii            boolean,
    tags           text[]  NOT NULL,
    description    text    NOT NULL,
    words          text    NOT NULL,
    near_words     text    NOT NULL,
    tsv            tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', words), 'A') || setweight(to_tsvector('english', words), 'A')
        || setweight(to_tsvector('simple', near_words), 'B') || setweight(to_tsvector('english', near_words), 'B')
        || setweight(to_tsvector('simple', description), 'C') || setweight(to_tsvector('english', description), 'C')
    ) STORED,
    CONSTRAINT pk_dictamesh_search_documents PRIMARY KEY (mesh, kind, address),
    CONSTRAINT chk_dictamesh_search_documents_kind CHECK (kind IN ('product', 'entity', 'field', 'relation'))
);
COMMENT ON TABLE dictamesh_search_documents IS
    'DictaMesh: the searchable metadata of what specs declare and editors register.';
COMMENT ON COLUMN dictamesh_search_documents.entity_types IS
    'DictaMesh: the types it tells of: those of a product, else one or the two ends of a relation.';
COMMENT ON COLUMN dictamesh_search_documents.tags IS 'DictaMesh: tags of it and of what lies below, each with those above.';
COMMENT ON COLUMN dictamesh_search_documents.words IS 'DictaMesh: its names, also taken apart.';
COMMENT ON COLUMN dictamesh_search_documents.near_words IS 'DictaMesh: tags, owner, domain and names around it.';
CREATE INDEX idx_dictamesh_search_documents_text ON dictamesh_search_documents USING gin (tsv);
