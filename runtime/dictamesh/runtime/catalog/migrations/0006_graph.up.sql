-- SPDX-License-Identifier: Apache-2.0
-- The relation graph over records (GL-1 to GL-5): numbered nodes, kinds of relations, validity and provenance.

CREATE TYPE dictamesh_provenance AS ENUM ('inferred', 'observed', 'declared');
COMMENT ON TYPE dictamesh_provenance IS 'DictaMesh: how a thing is known, the surest way last.';

-- A record's row repeats no more of its type's than what reports filter by; it enters none of the indexes of types.
ALTER TABLE dictamesh_entity_catalog
    ADD COLUMN node        bigint               NOT NULL GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN provenance  dictamesh_provenance NOT NULL DEFAULT 'declared',
    ADD COLUMN external    boolean              NOT NULL DEFAULT false,
    ADD COLUMN guarded     boolean              NOT NULL DEFAULT true,
    ADD COLUMN description text                 NOT NULL DEFAULT '';
COMMENT ON COLUMN dictamesh_entity_catalog.node IS 'DictaMesh: the number of the type or record in the graph.';
COMMENT ON COLUMN dictamesh_entity_catalog.external IS
    'DictaMesh: registered by an editor through the API, not by a spec.';
COMMENT ON COLUMN dictamesh_entity_catalog.guarded IS
    'DictaMesh: a policy hid the type or some of its records from somebody; once no spec declares it, editors alone see it.';
DROP INDEX idx_dictamesh_entity_catalog_type;
DROP INDEX idx_dictamesh_entity_catalog_domain;
DROP INDEX idx_dictamesh_entity_catalog_product;
DROP INDEX idx_dictamesh_entity_catalog_status;
DROP INDEX idx_dictamesh_entity_catalog_pii;
DROP INDEX idx_dictamesh_entity_catalog_tier;
DROP INDEX idx_dictamesh_entity_catalog_schema;
CREATE UNIQUE INDEX idx_dictamesh_entity_catalog_node ON dictamesh_entity_catalog (node)
    INCLUDE (entity_type, source_entity_id);
CREATE INDEX idx_dictamesh_entity_catalog_type ON dictamesh_entity_catalog (entity_type, source_entity_id)
    INCLUDE (node, status);
CREATE INDEX idx_dictamesh_entity_catalog_domain ON dictamesh_entity_catalog (domain) WHERE source_entity_id = '*';
CREATE INDEX idx_dictamesh_entity_catalog_product ON dictamesh_entity_catalog (mesh, product_id)
    WHERE source_entity_id = '*';
CREATE INDEX idx_dictamesh_entity_catalog_status ON dictamesh_entity_catalog (status) WHERE source_entity_id = '*';
CREATE INDEX idx_dictamesh_entity_catalog_pii ON dictamesh_entity_catalog (entity_type)
    WHERE contains_pii AND source_entity_id = '*';
CREATE INDEX idx_dictamesh_entity_catalog_tier ON dictamesh_entity_catalog (data_classification)
    WHERE source_entity_id = '*';
CREATE INDEX idx_dictamesh_entity_catalog_schema ON dictamesh_entity_catalog (schema_id) WHERE schema_id IS NOT NULL;

CREATE TABLE dictamesh_relation_kinds (
    kind                     integer NOT NULL GENERATED ALWAYS AS IDENTITY,
    subject_entity_type      text    NOT NULL,
    relationship_type        text    NOT NULL,
    object_entity_type       text    NOT NULL,
    relationship_cardinality text    NOT NULL,
    inverse                  text,
    CONSTRAINT pk_dictamesh_relation_kinds PRIMARY KEY (kind),
    CONSTRAINT uq_dictamesh_relation_kinds_ends UNIQUE (subject_entity_type, relationship_type, object_entity_type),
    CONSTRAINT chk_dictamesh_relation_kinds_cardinality CHECK
        (relationship_cardinality IN ('one-to-one', 'one-to-many', 'many-to-one', 'many-to-many'))
);
COMMENT ON TABLE dictamesh_relation_kinds IS
    'DictaMesh: a relation by its name and the types of its ends; edges carry its number.';
INSERT INTO dictamesh_relation_kinds
    (subject_entity_type, relationship_type, object_entity_type, relationship_cardinality, inverse)
SELECT DISTINCT ON (subject_entity_type, relationship_type, object_entity_type)
       subject_entity_type, relationship_type, object_entity_type, relationship_cardinality, object_display_name
  FROM dictamesh_entity_relationships
 ORDER BY subject_entity_type, relationship_type, object_entity_type, valid_to DESC NULLS FIRST;

ALTER TABLE dictamesh_entity_relationships
    SET (fillfactor = 90),
    ADD COLUMN subject_node  bigint,
    ADD COLUMN kind          integer,
    ADD COLUMN object_node   bigint,
    ADD COLUMN provenance    dictamesh_provenance NOT NULL DEFAULT 'declared',
    ADD COLUMN confidence    real                 NOT NULL DEFAULT 1,
    ADD COLUMN first_seen_at timestamptz          NOT NULL DEFAULT now(),
    ADD COLUMN last_seen_at  timestamptz          NOT NULL DEFAULT now();
UPDATE dictamesh_entity_relationships e
   SET subject_node = s.node, object_node = o.node, kind = k.kind, first_seen_at = e.valid_from
  FROM dictamesh_entity_catalog s, dictamesh_entity_catalog o, dictamesh_relation_kinds k
 WHERE s.id = e.subject_catalog_id AND o.id = e.object_catalog_id AND k.subject_entity_type = e.subject_entity_type
   AND k.relationship_type = e.relationship_type AND k.object_entity_type = e.object_entity_type;
ALTER TABLE dictamesh_entity_relationships
    ALTER COLUMN subject_node SET NOT NULL,
    ALTER COLUMN kind SET NOT NULL,
    ALTER COLUMN object_node SET NOT NULL,
    ADD CONSTRAINT fk_dictamesh_entity_relationships_kind FOREIGN KEY (kind) REFERENCES dictamesh_relation_kinds (kind),
    ADD CONSTRAINT chk_dictamesh_entity_relationships_confidence CHECK (confidence BETWEEN 0 AND 1);
COMMENT ON COLUMN dictamesh_entity_relationships.created_by_event_id IS
    'DictaMesh: what the relation was first known by: the id of an event or of a run.';
COMMENT ON COLUMN dictamesh_entity_relationships.provenance IS 'DictaMesh: the surest way in which it is known.';

-- One open relation of a kind between two ends; with its mirror all that a walk over what holds now reads.
DROP INDEX idx_dictamesh_entity_relationships_open;
DROP INDEX idx_dictamesh_entity_relationships_subject;
DROP INDEX idx_dictamesh_entity_relationships_object;
DROP INDEX idx_dictamesh_entity_relationships_object_id;
DROP INDEX idx_dictamesh_entity_relationships_type;
DROP INDEX idx_dictamesh_entity_relationships_metadata;
CREATE UNIQUE INDEX idx_dictamesh_entity_relationships_open ON dictamesh_entity_relationships
    (subject_node, kind, object_node) INCLUDE (valid_from, provenance) WHERE valid_to IS NULL;
CREATE INDEX idx_dictamesh_entity_relationships_open_back ON dictamesh_entity_relationships
    (object_node, kind, subject_node) INCLUDE (valid_from, provenance) WHERE valid_to IS NULL;
CREATE INDEX idx_dictamesh_entity_relationships_ended ON dictamesh_entity_relationships
    (subject_node, kind, object_node) INCLUDE (valid_from, valid_to, provenance) WHERE valid_to IS NOT NULL;
CREATE INDEX idx_dictamesh_entity_relationships_ended_back ON dictamesh_entity_relationships
    (object_node, kind, subject_node) INCLUDE (valid_from, valid_to, provenance) WHERE valid_to IS NOT NULL;
CREATE INDEX idx_dictamesh_entity_relationships_subject ON dictamesh_entity_relationships
    (subject_entity_type, subject_entity_id) WHERE valid_to IS NULL;
CREATE INDEX idx_dictamesh_entity_relationships_object ON dictamesh_entity_relationships
    (object_entity_type, object_entity_id) WHERE valid_to IS NULL;
-- Of types alone: over records it would be taken for a way to one of them until the first ANALYZE.
CREATE INDEX idx_dictamesh_entity_relationships_type ON dictamesh_entity_relationships (relationship_type)
    WHERE subject_entity_id = '*';
CREATE INDEX idx_dictamesh_entity_relationships_metadata ON dictamesh_entity_relationships
    USING gin (relationship_metadata jsonb_path_ops) WHERE relationship_metadata <> '{}';

-- What holds at `moment` (NULL: now) at some nodes, read from the indexes alone. The kinds of relations are either few and
-- `wanted`, which an index finds, or all but the `unwanted`, which are passed over: before version 17 each wanted kind
-- costs a descent of its own.
CREATE FUNCTION dictamesh_relations(
    nodes bigint[], back boolean, wanted integer[], unwanted integer[], moment timestamptz
) RETURNS TABLE (
    subject bigint, relation integer, object bigint, since timestamptz, known_as dictamesh_provenance, far bigint
) LANGUAGE sql STABLE AS $body$
    SELECT subject_node, kind, object_node, valid_from, provenance, object_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NULL AND NOT back AND subject_node = ANY (nodes) AND kind <> ALL (unwanted)
       AND valid_to IS NULL AND (moment IS NULL OR valid_from <= moment)
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, subject_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NULL AND back AND object_node = ANY (nodes) AND kind <> ALL (unwanted)
       AND valid_to IS NULL AND (moment IS NULL OR valid_from <= moment)
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, object_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NOT NULL AND NOT back AND subject_node = ANY (nodes) AND kind = ANY (wanted)
       AND valid_to IS NULL AND (moment IS NULL OR valid_from <= moment)
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, subject_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NOT NULL AND back AND object_node = ANY (nodes) AND kind = ANY (wanted)
       AND valid_to IS NULL AND (moment IS NULL OR valid_from <= moment)
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, object_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NULL AND NOT back AND subject_node = ANY (nodes) AND kind <> ALL (unwanted)
       AND moment IS NOT NULL AND valid_to IS NOT NULL AND valid_from <= moment AND valid_to > moment
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, subject_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NULL AND back AND object_node = ANY (nodes) AND kind <> ALL (unwanted)
       AND moment IS NOT NULL AND valid_to IS NOT NULL AND valid_from <= moment AND valid_to > moment
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, object_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NOT NULL AND NOT back AND subject_node = ANY (nodes) AND kind = ANY (wanted)
       AND moment IS NOT NULL AND valid_to IS NOT NULL AND valid_from <= moment AND valid_to > moment
    UNION ALL
    SELECT subject_node, kind, object_node, valid_from, provenance, subject_node
      FROM dictamesh_entity_relationships
     WHERE wanted IS NOT NULL AND back AND object_node = ANY (nodes) AND kind = ANY (wanted)
       AND moment IS NOT NULL AND valid_to IS NOT NULL AND valid_from <= moment AND valid_to > moment
$body$;
COMMENT ON FUNCTION dictamesh_relations(bigint[], boolean, integer[], integer[], timestamptz) IS
    'DictaMesh: the relations of some nodes in one direction, with the node at the other end.';

-- Level by level from `frontier`, never twice to one node. Written in a language with variables because a recursive
-- query can neither bound its levels and remember what it has met, nor stop at a number of nodes.
CREATE FUNCTION dictamesh_walk(
    frontier bigint[], known bigint[], levels integer, ahead boolean, back boolean, wanted integer[], unwanted integer[],
    moment timestamptz, most_nodes integer, most_edges integer, patience interval,
    OUT nodes bigint[], OUT depths integer[], OUT subjects bigint[], OUT kinds integer[], OUT objects bigint[],
    OUT since timestamptz[], OUT provenances text[], OUT steps integer[], OUT truncated text
) LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $body$
DECLARE
    seen   bigint[]    := known || frontier;
    step   integer     := 0;
    until  timestamptz := clock_timestamp() + patience;
    a      bigint[];
    k      integer[];
    b      bigint[];
    f      timestamptz[];
    p      text[];
    far    bigint[];
    fresh  bigint[];
    room   integer;
BEGIN
    nodes := '{}'; depths := '{}'; subjects := '{}'; kinds := '{}'; objects := '{}'; since := '{}';
    provenances := '{}'; steps := '{}';
    WHILE step < levels AND cardinality(frontier) > 0 AND truncated IS NULL LOOP
        IF clock_timestamp() > until THEN
            truncated := 'time';
            EXIT;
        END IF;
        step := step + 1;
        SELECT coalesce(array_agg(x.subject), '{}'), array_agg(x.relation), array_agg(x.object), array_agg(x.since),
               array_agg(x.known_as::text), array_agg(x.far)
          INTO a, k, b, f, p, far
          FROM (SELECT * FROM dictamesh_relations(frontier, false, wanted, unwanted, moment) WHERE ahead
                UNION ALL
                SELECT * FROM dictamesh_relations(frontier, true, wanted, unwanted, moment) WHERE back
                 LIMIT most_edges - cardinality(subjects) + 1) x;
        IF cardinality(subjects) + cardinality(a) > most_edges THEN
            truncated := 'edges';
        END IF;
        fresh := ARRAY(SELECT unnest(far) EXCEPT SELECT unnest(seen));
        room := most_nodes - cardinality(nodes);
        IF cardinality(fresh) > room THEN
            truncated := 'nodes';
            fresh := ARRAY(SELECT n FROM unnest(fresh) AS n ORDER BY n LIMIT room);
            SELECT coalesce(array_agg(x.a), '{}'), array_agg(x.k), array_agg(x.b), array_agg(x.f), array_agg(x.p)
              INTO a, k, b, f, p
              FROM unnest(a, k, b, f, p, far) AS x (a, k, b, f, p, far)
             WHERE x.far IN (SELECT unnest(seen || fresh));
        END IF;
        nodes := nodes || fresh;
        depths := depths || array_fill(step, ARRAY[cardinality(fresh)]);
        subjects := subjects || a; kinds := kinds || k; objects := objects || b; since := since || f;
        provenances := provenances || p;
        steps := steps || array_fill(step, ARRAY[cardinality(a)]);
        seen := seen || fresh;
        frontier := fresh;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION dictamesh_walk(
    bigint[], bigint[], integer, boolean, boolean, integer[], integer[], timestamptz, integer, integer, interval) IS
    'DictaMesh: the nodes within some levels of others, each once at its least depth, and the relations on the way.';
