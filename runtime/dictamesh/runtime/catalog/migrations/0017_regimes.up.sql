-- SPDX-License-Identifier: Apache-2.0
-- Regimes of law and audit that data falls under, as a facet of the search.

ALTER TABLE dictamesh_search_documents ADD COLUMN regimes text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN dictamesh_search_documents.regimes IS
    'DictaMesh: regimes that it, or what lies below it, falls under.';
