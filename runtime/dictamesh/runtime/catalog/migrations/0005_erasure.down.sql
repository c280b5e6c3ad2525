-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_erasures;
DROP TABLE dictamesh_subject_keys;
DROP FUNCTION dictamesh_keep_destroyed();
