# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL side of the mesh: embedded cluster, migrations, registration, catalog REST and audit."""
