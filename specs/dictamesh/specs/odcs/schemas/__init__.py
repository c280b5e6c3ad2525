# SPDX-License-Identifier: Apache-2.0
"""The official JSON Schemas of ODCS by version, loaded when first asked for."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

WRITTEN = "v3.1.0"
"""The version that exports are written in."""

VERSIONS = {
    "v3.2.0": "v3.2.0-dev",
    "v3.1.0": "v3.1.0",
    "v3.0.2": "v3.0.2",
    "v3.0.1": "v3.0.1",
    "v3.0.0": "v3.0.0",
}
"""The schema that a file of each version is read by, newest first."""

NEWEST = next(iter(VERSIONS))


@cache
def schema(version: str) -> Any:
    """Return the schema that files of a version are read by; KeyError for one that is not read."""
    text = files(__name__).joinpath(f"odcs-json-schema-{VERSIONS[version]}.json").read_text(encoding="utf-8")
    return json.loads(text)


def validator(version: str) -> Any:
    """Return a `jsonschema` validator for one file of a version; KeyError for one that is not read.

    It remembers what it found of each value under each definition: `unevaluatedProperties` asks again at every level,
    and nested properties would take three times as long with each level that they are deep.
    """
    import jsonschema  # noqa: PLC0415 - 80 ms that only contracts need

    plain = jsonschema.Draft201909Validator
    known: dict[tuple[str, int], list[Any]] = {}

    def remembered(each: Any, reference: str, data: Any, within: Any) -> Iterator[Any]:
        place = reference, id(data)  # values live as long as the file's
        if place not in known:
            known[place] = list(plain.VALIDATORS["$ref"](each, reference, data, within))
        yield from map(jsonschema.ValidationError.create_from, known[place])

    return jsonschema.validators.extend(plain, {"$ref": remembered})(schema(version))
