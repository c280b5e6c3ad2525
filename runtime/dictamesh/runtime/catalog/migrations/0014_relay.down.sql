-- SPDX-License-Identifier: Apache-2.0
DROP TABLE dictamesh_relay_offsets;
