-- SPDX-License-Identifier: Apache-2.0
-- Lineage (MC-6, GL-6, GL-7, GL-11): nodes and edges with validity and provenance, and what OpenLineage events tell.

CREATE TABLE dictamesh_lineage_nodes (
    id            bigint      GENERATED ALWAYS AS IDENTITY,
    node_key      text        NOT NULL,
    address       text        NOT NULL,
    kind          text        NOT NULL,
    namespace     text        NOT NULL,
    name          text        NOT NULL,
    field         text        NOT NULL DEFAULT '',
    dataset_id    bigint,
    mesh          text,
    entity        text,
    needs_types   text[]      NOT NULL DEFAULT '{}',
    reader_types  text[]      NOT NULL DEFAULT '{}',
    facts_key     text,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_lineage_nodes PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_lineage_nodes_key UNIQUE (node_key),
    CONSTRAINT fk_dictamesh_lineage_nodes_dataset FOREIGN KEY (dataset_id) REFERENCES dictamesh_lineage_nodes (id),
    CONSTRAINT chk_dictamesh_lineage_nodes_kind CHECK (kind IN ('column', 'field', 'graphql', 'topic'))
);
COMMENT ON TABLE dictamesh_lineage_nodes IS
    'DictaMesh: datasets and their fields, named as OpenLineage names them; an empty field is the dataset as a whole.';
COMMENT ON COLUMN dictamesh_lineage_nodes.node_key IS 'DictaMesh: SHA-256 of namespace, name and field.';
COMMENT ON COLUMN dictamesh_lineage_nodes.mesh IS 'DictaMesh: the mesh whose plan has the node; NULL: only events told of it.';
COMMENT ON COLUMN dictamesh_lineage_nodes.needs_types IS
    'DictaMesh: entity types without sight of which the node is not shown.';
COMMENT ON COLUMN dictamesh_lineage_nodes.reader_types IS
    'DictaMesh: entity types that read the column; without sight of any of them it is not shown.';
CREATE INDEX idx_dictamesh_lineage_nodes_address ON dictamesh_lineage_nodes (md5(address));
COMMENT ON COLUMN dictamesh_lineage_nodes.facts_key IS
    'DictaMesh: SHA-256 of all that the mesh says of the node; NULL: only events told of it.';
CREATE INDEX idx_dictamesh_lineage_nodes_entity ON dictamesh_lineage_nodes (entity) WHERE entity IS NOT NULL;
CREATE INDEX idx_dictamesh_lineage_nodes_product ON dictamesh_lineage_nodes (split_part(entity, '#', 1))
    WHERE kind = 'field' AND field = '' AND mesh IS NOT NULL;
CREATE INDEX idx_dictamesh_lineage_nodes_mesh ON dictamesh_lineage_nodes (mesh) INCLUDE (node_key, facts_key)
    WHERE mesh IS NOT NULL;
CREATE INDEX idx_dictamesh_lineage_nodes_dataset ON dictamesh_lineage_nodes (dataset_id);

CREATE TABLE dictamesh_lineage_jobs (
    id              bigint      GENERATED ALWAYS AS IDENTITY,
    job_key         text        NOT NULL,
    namespace       text        NOT NULL,
    name            text        NOT NULL,
    processing_type text,
    integration     text,
    job_type        text,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_event_at   timestamptz NOT NULL,
    CONSTRAINT pk_dictamesh_lineage_jobs PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_lineage_jobs_key UNIQUE (job_key)
);
COMMENT ON TABLE dictamesh_lineage_jobs IS 'DictaMesh: jobs of other producers, as their OpenLineage events name them.';

CREATE TABLE dictamesh_lineage_runs (
    run_id        uuid        NOT NULL,
    job_id        bigint      NOT NULL,
    state         text        NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    nominal_start timestamptz,
    nominal_end   timestamptz,
    parent_run_id uuid,
    last_event_at timestamptz NOT NULL,
    CONSTRAINT pk_dictamesh_lineage_runs PRIMARY KEY (run_id),
    CONSTRAINT fk_dictamesh_lineage_runs_job FOREIGN KEY (job_id) REFERENCES dictamesh_lineage_jobs (id),
    CONSTRAINT chk_dictamesh_lineage_runs_state
        CHECK (state IN ('START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'))
);
COMMENT ON TABLE dictamesh_lineage_runs IS 'DictaMesh: runs of those jobs, each in the state that its last event told.';
CREATE INDEX idx_dictamesh_lineage_runs_job ON dictamesh_lineage_runs (job_id, last_event_at DESC);
CREATE INDEX idx_dictamesh_lineage_runs_age ON dictamesh_lineage_runs (last_event_at);

CREATE TABLE dictamesh_lineage_datasets (
    node_id       bigint      NOT NULL,
    fields        jsonb       NOT NULL DEFAULT '[]',
    symlinks      jsonb       NOT NULL DEFAULT '[]',
    last_event_at timestamptz NOT NULL,
    CONSTRAINT pk_dictamesh_lineage_datasets PRIMARY KEY (node_id),
    CONSTRAINT fk_dictamesh_lineage_datasets_node FOREIGN KEY (node_id) REFERENCES dictamesh_lineage_nodes (id)
);
COMMENT ON TABLE dictamesh_lineage_datasets IS
    'DictaMesh: what events tell of datasets: names and types of fields, other names; never a value.';

CREATE TABLE dictamesh_lineage_job_datasets (
    job_id        bigint      NOT NULL,
    node_id       bigint      NOT NULL,
    direction     text        NOT NULL,
    last_event_at timestamptz NOT NULL,
    CONSTRAINT pk_dictamesh_lineage_job_datasets PRIMARY KEY (job_id, node_id, direction),
    CONSTRAINT fk_dictamesh_lineage_job_datasets_job FOREIGN KEY (job_id) REFERENCES dictamesh_lineage_jobs (id),
    CONSTRAINT fk_dictamesh_lineage_job_datasets_node FOREIGN KEY (node_id) REFERENCES dictamesh_lineage_nodes (id),
    CONSTRAINT chk_dictamesh_lineage_job_datasets_direction CHECK (direction IN ('input', 'output'))
);
COMMENT ON TABLE dictamesh_lineage_job_datasets IS 'DictaMesh: what those jobs read and make.';
CREATE INDEX idx_dictamesh_lineage_job_datasets_node ON dictamesh_lineage_job_datasets (node_id);

CREATE TABLE dictamesh_data_lineage (
    id                     uuid             NOT NULL DEFAULT gen_random_uuid(),
    edge_key               text             NOT NULL,
    mesh                   text             NOT NULL,
    upstream_node          bigint           NOT NULL,
    upstream_catalog_id    uuid,
    upstream_system        text             NOT NULL,
    downstream_node        bigint           NOT NULL,
    downstream_catalog_id  uuid,
    downstream_system      text             NOT NULL,
    transformation_type    text             NOT NULL,
    transformation_subtype text             NOT NULL,
    transformation_kind    text             NOT NULL GENERATED ALWAYS AS (
        CASE transformation_subtype
            WHEN 'IDENTITY' THEN 'direct_copy' WHEN 'AGGREGATION' THEN 'aggregation' WHEN 'JOIN' THEN 'join'
            ELSE 'enrichment' END) STORED,
    transformation_logic   text,
    masking                boolean          NOT NULL DEFAULT false,
    clear_for              text,
    provenance             text             NOT NULL,
    job_id                 bigint,
    data_flow_active       boolean          NOT NULL DEFAULT false,
    last_flow_at           timestamptz,
    average_latency_ms     double precision,
    flow_count             bigint           NOT NULL DEFAULT 0,
    valid_from             timestamptz      NOT NULL DEFAULT now(),
    valid_to               timestamptz,
    created_at             timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_data_lineage PRIMARY KEY (id),
    CONSTRAINT fk_dictamesh_data_lineage_upstream
        FOREIGN KEY (upstream_node) REFERENCES dictamesh_lineage_nodes (id),
    CONSTRAINT fk_dictamesh_data_lineage_downstream
        FOREIGN KEY (downstream_node) REFERENCES dictamesh_lineage_nodes (id),
    CONSTRAINT fk_dictamesh_data_lineage_upstream_catalog
        FOREIGN KEY (upstream_catalog_id) REFERENCES dictamesh_entity_catalog (id),
    CONSTRAINT fk_dictamesh_data_lineage_downstream_catalog
        FOREIGN KEY (downstream_catalog_id) REFERENCES dictamesh_entity_catalog (id),
    CONSTRAINT fk_dictamesh_data_lineage_job FOREIGN KEY (job_id) REFERENCES dictamesh_lineage_jobs (id),
    CONSTRAINT chk_dictamesh_data_lineage_type CHECK (transformation_type IN ('DIRECT', 'INDIRECT')),
    CONSTRAINT chk_dictamesh_data_lineage_provenance CHECK (provenance IN ('declared', 'inferred', 'observed')),
    CONSTRAINT chk_dictamesh_data_lineage_validity CHECK (valid_to > valid_from),
    CONSTRAINT chk_dictamesh_data_lineage_latency CHECK (average_latency_ms >= 0 AND flow_count >= 0)
) WITH (fillfactor = 85);
COMMENT ON TABLE dictamesh_data_lineage IS
    'DictaMesh: what goes into what, since when, until when, and who says so; a row with valid_to is history.';
COMMENT ON COLUMN dictamesh_data_lineage.edge_key IS
    'DictaMesh: SHA-256 of all that an edge says; what says something else is another edge.';
COMMENT ON COLUMN dictamesh_data_lineage.mesh IS 'DictaMesh: the mesh that registered or took in the edge.';
COMMENT ON COLUMN dictamesh_data_lineage.transformation_subtype IS
    'DictaMesh: in the words of OpenLineage''s column lineage facet; IDENTITY, AGGREGATION, JOIN, FILTER and others.';
COMMENT ON COLUMN dictamesh_data_lineage.clear_for IS
    'DictaMesh: where masking is true, who gets the value all the same.';
CREATE UNIQUE INDEX idx_dictamesh_data_lineage_open ON dictamesh_data_lineage (mesh, edge_key) WHERE valid_to IS NULL;
CREATE INDEX idx_dictamesh_data_lineage_upstream ON dictamesh_data_lineage (upstream_node) INCLUDE (downstream_node);
CREATE INDEX idx_dictamesh_data_lineage_downstream ON dictamesh_data_lineage (downstream_node) INCLUDE (upstream_node);
CREATE INDEX idx_dictamesh_data_lineage_job ON dictamesh_data_lineage (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX idx_dictamesh_data_lineage_upstream_catalog ON dictamesh_data_lineage (upstream_catalog_id)
    WHERE upstream_catalog_id IS NOT NULL;
CREATE INDEX idx_dictamesh_data_lineage_downstream_catalog ON dictamesh_data_lineage (downstream_catalog_id)
    WHERE downstream_catalog_id IS NOT NULL;
CREATE INDEX idx_dictamesh_data_lineage_active ON dictamesh_data_lineage (mesh) WHERE data_flow_active;

CREATE TABLE dictamesh_lineage_registrations (
    mesh          text        NOT NULL,
    graph_hash    text        NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_lineage_registrations PRIMARY KEY (mesh)
);
COMMENT ON TABLE dictamesh_lineage_registrations IS
    'DictaMesh: the lineage that each mesh registered last, so that the same one need not be compared row by row.';

CREATE TABLE dictamesh_lineage_events (
    id           bigint      GENERATED ALWAYS AS IDENTITY,
    direction    text        NOT NULL,
    event_key    text        NOT NULL,
    event_type   text,
    event_time   timestamptz NOT NULL,
    run_id       uuid,
    entity_types text[]      NOT NULL DEFAULT '{}',
    event        jsonb,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_lineage_events PRIMARY KEY (id),
    CONSTRAINT uq_dictamesh_lineage_events_key UNIQUE (direction, event_key),
    CONSTRAINT chk_dictamesh_lineage_events_direction CHECK (direction IN ('in', 'out')),
    CONSTRAINT chk_dictamesh_lineage_events_body CHECK ((direction = 'out') = (event IS NOT NULL))
);
COMMENT ON TABLE dictamesh_lineage_events IS
    'DictaMesh: the last events sent, as they were sent, and the keys of the last events taken in, whose text is not kept.';
CREATE INDEX idx_dictamesh_lineage_events_order ON dictamesh_lineage_events (direction, id DESC);
CREATE INDEX idx_dictamesh_lineage_events_run ON dictamesh_lineage_events (run_id) WHERE run_id IS NOT NULL;

CREATE FUNCTION dictamesh_lineage_shown(
    needs text[], readers text[], dataset_needs text[], dataset_readers text[], hidden text[])
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN NOT (needs && hidden OR coalesce(dataset_needs && hidden, false))
   AND NOT (coalesce(nullif(readers, '{}'), dataset_readers, '{}') <@ hidden
            AND coalesce(nullif(readers, '{}'), dataset_readers, '{}') <> '{}');
COMMENT ON FUNCTION dictamesh_lineage_shown(text[], text[], text[], text[], text[]) IS
    'DictaMesh: whether a node may be shown to somebody who may not know of some entity types.';

-- One way of a walk: every edge met, with the number of steps to it. Frontier by frontier, each node once: a circle
-- ends, and so does a walk that has met too much. A field's way up passes what decides the rows of its dataset.
CREATE FUNCTION dictamesh_lineage_walk(
    begin_at bigint[], upstream boolean, deepest integer, most integer, as_of timestamptz, hidden text[])
RETURNS TABLE (edge uuid, node bigint, near bigint, steps integer, cut boolean)
LANGUAGE plpgsql STABLE ROWS 100 AS $body$
DECLARE
    seen     bigint[] := begin_at;
    frontier bigint[] := begin_at;
    rows_of  bigint[];
    found    bigint[];
    edges    uuid[];
    ends     bigint[];
    nears    bigint[];
BEGIN
    FOR step IN 1 .. deepest + 1 LOOP
        rows_of := '{}';
        IF upstream THEN
            SELECT coalesce(array_agg(DISTINCT n.dataset_id), '{}') INTO rows_of
              FROM dictamesh_lineage_nodes n WHERE n.id = ANY (frontier) AND n.dataset_id IS NOT NULL;
        END IF;
        SELECT array_agg(x.id ORDER BY x.other, x.id), array_agg(x.other ORDER BY x.other, x.id),
               array_agg(x.near_end ORDER BY x.other, x.id)
          INTO edges, ends, nears
          FROM (SELECT e.id, e.upstream_node AS other, e.downstream_node AS near_end FROM dictamesh_data_lineage e
                 WHERE upstream AND e.downstream_node = ANY (frontier)
                   AND e.valid_from <= as_of AND (e.valid_to IS NULL OR e.valid_to > as_of)
                 UNION
                SELECT e.id, e.upstream_node, e.downstream_node FROM dictamesh_data_lineage e
                 WHERE upstream AND e.downstream_node = ANY (rows_of) AND e.transformation_type = 'INDIRECT'
                   AND e.valid_from <= as_of AND (e.valid_to IS NULL OR e.valid_to > as_of)
                 UNION ALL
                SELECT e.id, e.downstream_node, e.upstream_node FROM dictamesh_data_lineage e
                 WHERE NOT upstream AND e.upstream_node = ANY (frontier)
                   AND e.valid_from <= as_of AND (e.valid_to IS NULL OR e.valid_to > as_of)) x
          JOIN dictamesh_lineage_nodes n ON n.id = x.other
          LEFT JOIN dictamesh_lineage_nodes d ON d.id = n.dataset_id
         WHERE dictamesh_lineage_shown(n.needs_types, n.reader_types, d.needs_types, d.reader_types, hidden);
        EXIT WHEN edges IS NULL;
        found := ARRAY(SELECT DISTINCT u FROM unnest(ends) u WHERE u <> ALL (seen) ORDER BY u);
        IF step > deepest THEN
            IF cardinality(found) > 0 THEN
                RETURN QUERY SELECT NULL::uuid, NULL::bigint, NULL::bigint, step, true;
            END IF;
            EXIT;
        END IF;
        IF cardinality(seen) + cardinality(found) > most THEN
            RETURN QUERY SELECT NULL::uuid, NULL::bigint, NULL::bigint, step, true;
            found := found[1 : greatest(most - cardinality(seen), 0)];
        END IF;
        seen := seen || found;
        RETURN QUERY SELECT p.e, p.n, p.o, step, false
                       FROM unnest(edges, ends, nears) AS p (e, n, o) WHERE p.n = ANY (seen);
        EXIT WHEN cardinality(found) = 0;
        frontier := found;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION dictamesh_lineage_walk(bigint[], boolean, integer, integer, timestamptz, text[]) IS
    'DictaMesh: walks lineage one way from some nodes, as of an instant, past nothing that the caller may not know of.';
