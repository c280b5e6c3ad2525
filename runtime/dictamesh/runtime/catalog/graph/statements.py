# SPDX-License-Identifier: Apache-2.0
"""The SQL by which relations are written; parameters are columns of equal length, one element per relation."""

NEW_KINDS = b"""
INSERT INTO dictamesh_relation_kinds
    (subject_entity_type, relationship_type, object_entity_type, relationship_cardinality)
SELECT * FROM unnest(%(subjects)s::text[], %(names)s::text[], %(objects)s::text[], %(cardinalities)s::text[])
    ON CONFLICT ON CONSTRAINT uq_dictamesh_relation_kinds_ends DO NOTHING
"""
KINDS = b"""
SELECT r.place, k.kind, k.relationship_cardinality
  FROM unnest(%(subjects)s::text[], %(names)s::text[], %(objects)s::text[])
       WITH ORDINALITY AS r (subject, name, object, place)
  JOIN dictamesh_relation_kinds k
    ON k.subject_entity_type = r.subject AND k.relationship_type = r.name AND k.object_entity_type = r.object
"""
_TOLD = b"""
  FROM unnest(%(subject)s::bigint[], %(kind)s::integer[], %(object)s::bigint[], %(first)s::timestamptz[],
       %(last)s::timestamptz[], %(provenance)s::dictamesh_provenance[], %(confidence)s::real[],
       %(one_object)s::boolean[], %(one_subject)s::boolean[])
       AS g (subject, kind, object, first, last, provenance, confidence, one_object, one_subject)
"""
_GIVEN = b"""
WITH g AS MATERIALIZED (
    SELECT *
      FROM unnest(%(subject)s::bigint[], %(kind)s::integer[], %(object)s::bigint[], %(first)s::timestamptz[],
           %(last)s::timestamptz[], %(provenance)s::dictamesh_provenance[], %(confidence)s::real[],
           %(one_object)s::boolean[], %(one_subject)s::boolean[], %(origin)s::text[], %(subject_uuid)s::uuid[],
           %(subject_type)s::text[], %(subject_id)s::text[], %(object_uuid)s::uuid[], %(object_type)s::text[],
           %(object_id)s::text[], %(name)s::text[], %(cardinality)s::text[], %(place)s::integer[])
           AS g (subject, kind, object, first, last, provenance, confidence, one_object, one_subject, origin,
                 subject_uuid, subject_type, subject_id, object_uuid, object_type, object_id, name, cardinality, place)
)
"""
# What is told late of a relation that may have many ends makes it older, unless it had ended in between.
#
# Questions of what is there are scalar subqueries, which are answered by an index for each row: as EXISTS they would
# become joins, and those are planned by statistics that a catalog that has just begun to fill does not have.
TOUCH = (
    b"""
UPDATE dictamesh_entity_relationships e
   SET valid_from = CASE WHEN d.older THEN g.first ELSE e.valid_from END,
       first_seen_at = least(e.first_seen_at, g.first), last_seen_at = greatest(e.last_seen_at, g.last),
       provenance = greatest(e.provenance, g.provenance), confidence = greatest(e.confidence, g.confidence)
"""
    + _TOLD
    + b"""
 CROSS JOIN LATERAL (
        SELECT o.id, NOT g.one_object AND NOT g.one_subject AND g.first < o.valid_from AND
               (SELECT true FROM dictamesh_entity_relationships p
                 WHERE p.subject_node = g.subject AND p.kind = g.kind AND p.object_node = g.object
                   AND p.valid_to IS NOT NULL AND p.valid_to > g.first LIMIT 1) IS NULL AS older
          FROM dictamesh_entity_relationships o
         WHERE o.subject_node = g.subject AND o.kind = g.kind AND o.object_node = g.object AND o.valid_to IS NULL
        OFFSET 0) d
 WHERE e.id = d.id
   AND (d.older OR g.provenance > e.provenance OR g.confidence > e.confidence
        OR g.last >= e.last_seen_at + interval '1 hour')
"""
)
# Nothing is opened by what is told of an instant that the catalog knows more of already.
OPEN = (
    _GIVEN
    + b"""
, opened AS (
    INSERT INTO dictamesh_entity_relationships
        (subject_catalog_id, subject_entity_type, subject_entity_id, relationship_type, relationship_cardinality,
         object_catalog_id, object_entity_type, object_entity_id, valid_from, created_by_event_id, subject_node, kind,
         object_node, provenance, confidence, first_seen_at, last_seen_at)
    SELECT g.subject_uuid, g.subject_type, g.subject_id, g.name, g.cardinality, g.object_uuid, g.object_type,
           g.object_id,
           CASE WHEN (SELECT true FROM dictamesh_entity_relationships p
                       WHERE p.subject_node = g.subject AND p.kind = g.kind AND p.object_node = g.object
                         AND p.valid_to IS NOT NULL AND p.valid_to > g.first LIMIT 1) THEN g.last ELSE g.first END,
           g.origin, g.subject, g.kind, g.object, g.provenance, g.confidence, g.first, g.last
      FROM g
     WHERE (SELECT true FROM dictamesh_entity_relationships o
             WHERE o.subject_node = g.subject AND o.kind = g.kind AND o.object_node = g.object
               AND o.valid_to IS NULL LIMIT 1) IS NULL
       AND (SELECT true FROM dictamesh_entity_relationships p
             WHERE p.subject_node = g.subject AND p.kind = g.kind AND (g.one_object OR p.object_node = g.object)
               AND p.valid_to IS NOT NULL AND p.valid_to > g.last LIMIT 1) IS NULL
       AND (NOT g.one_object OR
            (SELECT true FROM dictamesh_entity_relationships o
              WHERE o.subject_node = g.subject AND o.kind = g.kind AND o.valid_to IS NULL
                AND o.valid_from > g.last LIMIT 1) IS NULL)
       AND (NOT g.one_subject OR
            ((SELECT true FROM dictamesh_entity_relationships o
               WHERE o.object_node = g.object AND o.kind = g.kind AND o.valid_to IS NULL
                 AND o.valid_from > g.last LIMIT 1) IS NULL
             AND
             (SELECT true FROM dictamesh_entity_relationships p
               WHERE p.object_node = g.object AND p.kind = g.kind AND p.valid_to IS NOT NULL
                 AND p.valid_to > g.last LIMIT 1) IS NULL))
        ON CONFLICT (subject_node, kind, object_node) WHERE valid_to IS NULL DO NOTHING
    RETURNING subject_node, kind, object_node, valid_from
), told AS MATERIALIZED (
    SELECT n.valid_from, g.* FROM g
      JOIN opened n ON n.subject_node = g.subject AND n.kind = g.kind AND n.object_node = g.object
), replaced AS (
    UPDATE dictamesh_entity_relationships e
       SET valid_to = greatest(r.valid_from, e.valid_from + interval '1 microsecond')
      FROM told r
     CROSS JOIN LATERAL (
            SELECT o.id FROM dictamesh_entity_relationships o
             WHERE r.one_object AND o.subject_node = r.subject AND o.kind = r.kind AND o.object_node <> r.object
               AND o.valid_to IS NULL
            UNION ALL
            SELECT o.id FROM dictamesh_entity_relationships o
             WHERE r.one_subject AND o.object_node = r.object AND o.kind = r.kind AND o.subject_node <> r.subject
               AND o.valid_to IS NULL
            OFFSET 0) d
     WHERE e.id = d.id
    RETURNING e.id
)
SELECT (SELECT count(*) FROM replaced)::integer, array_agg(place) FROM told
"""
)
END = b"""
UPDATE dictamesh_entity_relationships e
   SET valid_to = greatest(g.at, e.valid_from + interval '1 microsecond')
  FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[]) AS g (node, name, object, at)
 WHERE e.valid_to IS NULL AND e.valid_from <= g.at AND e.subject_node = g.node
   AND (g.name IS NULL OR e.relationship_type = g.name) AND (g.object IS NULL OR e.object_node = g.object)
"""
END_BACK = b"""
UPDATE dictamesh_entity_relationships e
   SET valid_to = greatest(g.at, e.valid_from + interval '1 microsecond')
  FROM unnest(%s::bigint[], %s::timestamptz[]) AS g (node, at)
 WHERE e.valid_to IS NULL AND e.valid_from <= g.at AND e.object_node = g.node
"""
