-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_audit_logs;
DROP FUNCTION dictamesh_refuse_change();
