-- SPDX-License-Identifier: Apache-2.0
-- What quality rules found: numbers of rows, never a value of one.

CREATE TABLE dictamesh_quality_results (
    id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    mesh            text        NOT NULL,
    product_id      text        NOT NULL,
    product         text        NOT NULL,
    product_version text        NOT NULL,
    entity_type     text        NOT NULL,
    property        text,
    rule            text        NOT NULL,
    metric          text        NOT NULL,
    dimension       text,
    severity        text        NOT NULL,
    outcome         text        NOT NULL,
    checked_rows    bigint,
    failed_rows     bigint,
    measured        numeric,
    pass_rate       double precision,
    reason          text,
    plan_hash       text        NOT NULL,
    checked_at      timestamptz NOT NULL,
    duration_ms     double precision NOT NULL,
    CONSTRAINT pk_dictamesh_quality_results PRIMARY KEY (id),
    CONSTRAINT chk_dictamesh_quality_results_severity CHECK (severity IN ('error', 'warning', 'info')),
    CONSTRAINT chk_dictamesh_quality_results_outcome CHECK (outcome IN ('passed', 'failed', 'error')),
    CONSTRAINT chk_dictamesh_quality_results_rows CHECK (checked_rows >= 0 AND failed_rows >= 0),
    CONSTRAINT chk_dictamesh_quality_results_pass_rate CHECK (pass_rate BETWEEN 0 AND 1)
);
COMMENT ON TABLE dictamesh_quality_results IS
    'DictaMesh: one row per quality rule and check; kept as long as quality.keep of the mesh says.';
COMMENT ON COLUMN dictamesh_quality_results.property IS 'DictaMesh: the field of the rule; NULL is the entity.';
COMMENT ON COLUMN dictamesh_quality_results.metric IS
    'DictaMesh: a library metric of ODCS, condition (rows on which one holds), or sql (what a query gives).';
COMMENT ON COLUMN dictamesh_quality_results.outcome IS
    'DictaMesh: error is a rule whose measure could not be told, for the reason given.';
COMMENT ON COLUMN dictamesh_quality_results.measured IS
    'DictaMesh: what was held against the bound of the rule; NULL where a query gives something else than a count.';
CREATE INDEX idx_dictamesh_quality_results_rule
    ON dictamesh_quality_results (mesh, product, entity_type, rule, checked_at DESC, id DESC);
CREATE INDEX idx_dictamesh_quality_results_time ON dictamesh_quality_results (checked_at);
