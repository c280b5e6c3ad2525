# SPDX-License-Identifier: Apache-2.0
"""Settings of the process: defaults < mesh file < environment `DICTAMESH_*` < command line (AR-6, S27)."""

from collections.abc import Mapping
from typing import Any

from dynaconf import Dynaconf
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.specs.model import Runtime

PREFIX = "DICTAMESH"


def settings(declared: Runtime, given: Mapping[str, Any]) -> Runtime:
    """Layer the settings; `given` holds what the command line says, by field name, None for nothing.

    Only the keys of `runtime:` are read from the environment, and as plain values: dynaconf's own `@` words, which
    read files and run templates, are refused. Raises StartFailed naming the variable.
    """
    layered = declared.model_dump(exclude_unset=True)
    layered |= _environment()
    layered |= {name: value for name, value in given.items() if value is not None}
    try:
        return Runtime.model_validate(layered, strict=False)
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        raise StartFailed(
            f"the setting '{to_camel(name)}' has a value that it does not take",
            f"correct it in the mesh file, in {PREFIX}_{name.upper()} or on the command line",
        ) from None


def _environment() -> dict[str, Any]:
    names = {name.upper(): name for name in Runtime.model_fields}
    found = Dynaconf(
        envvar_prefix=PREFIX,
        settings_files=[],
        load_dotenv=False,
        environments=False,
        LOADERS_FOR_DYNACONF=["dictamesh.runtime.mesh.variables"],
        KEYS_OF_THE_RUNTIME=tuple(names),
    )
    return {names[key]: found.get(key) for key in names if found.get(key) is not None}
