-- SPDX-License-Identifier: Apache-2.0
DROP FUNCTION dictamesh_lineage_walk(bigint[], boolean, integer, integer, timestamptz, text[]);
DROP FUNCTION dictamesh_lineage_shown(text[], text[], text[], text[], text[]);
DROP TABLE dictamesh_lineage_events;
DROP TABLE dictamesh_lineage_registrations;
DROP TABLE dictamesh_data_lineage;
DROP TABLE dictamesh_lineage_job_datasets;
DROP TABLE dictamesh_lineage_datasets;
DROP TABLE dictamesh_lineage_runs;
DROP TABLE dictamesh_lineage_jobs;
DROP TABLE dictamesh_lineage_nodes;
