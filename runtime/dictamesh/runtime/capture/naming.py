# SPDX-License-Identifier: Apache-2.0
"""How topics name the record that a row of a source is."""

from collections.abc import Callable, Mapping
from typing import Any

from dictamesh.runtime.adapters.mapping import row_mapping
from dictamesh.runtime.adapters.records import RecordIds
from dictamesh.runtime.capture.reading import record_id
from dictamesh.runtime.compile.plan import EntityPlan


def identifier(entity: EntityPlan, ids: RecordIds) -> Callable[[Mapping[str, Any]], str | None]:
    """Return a function from columns of the source to the id of their record; None where they hold none."""
    mapping = row_mapping(entity, entity.key, plain=True)

    def identify(columns: Mapping[str, Any]) -> str | None:
        row = mapping.row(tuple(columns.get(output.name) for output in mapping.outputs), {})
        return record_id(ids, entity, tuple(row.get(name) for name in entity.key))

    return identify
