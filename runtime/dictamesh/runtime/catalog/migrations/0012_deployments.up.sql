-- SPDX-License-Identifier: Apache-2.0
-- The spec files of every plan that a mesh has served, so that a change can be compared with what runs.

CREATE TABLE dictamesh_deployments (
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    mesh        text        NOT NULL,
    plan_hash   text        NOT NULL,
    mesh_file   text        NOT NULL,
    files       jsonb       NOT NULL,
    deployed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_dictamesh_deployments PRIMARY KEY (id)
);
COMMENT ON TABLE dictamesh_deployments IS
    'DictaMesh: spec files as they were served; secrets stand in them by reference only.';
COMMENT ON COLUMN dictamesh_deployments.files IS 'DictaMesh: texts by path, relative to the folder of mesh_file.';
CREATE INDEX idx_dictamesh_deployments_mesh ON dictamesh_deployments (mesh, id DESC);
