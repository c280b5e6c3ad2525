# SPDX-License-Identifier: Apache-2.0
"""References resolved at last: `${env:X}` and `${file:path}` to values, in `run` only (S27)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.specs.documents import MissingReference, has_reference, resolve
from dictamesh.specs.manifest import Options
from dictamesh.specs.model import Security

O = TypeVar("O", bound=Options)  # noqa: E741 - the type of options


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves references against an environment and files relative to the mesh file's folder."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def text(self, written: str, place: str) -> str:
        """Return the value of a text with references; raises StartFailed naming `place` and the reference alone."""
        try:
            return resolve(written, self.environment, self._read)
        except MissingReference as missing:
            what = "environment variable" if missing.kind == "env" else "file"
            cure = "set it" if missing.kind == "env" else "create it, or correct the path"
            raise StartFailed(f"{place}: the {what} {missing.name} is not there", f"{cure}, then start again") from None

    def options(self, model: type[O], written: Mapping[str, Any], place: str) -> O:
        """Build a connector's options with every reference resolved; raises StartFailed."""
        try:
            return model.model_validate(self._deep(written, place))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise StartFailed(
                f"{place}.{key}: the value that its reference stands for does not fit", "correct the value"
            ) from None

    def secrets(self, security: Security | None) -> dict[str, str]:
        """Return the value of every reference of `security`, by the text as written; raises StartFailed."""
        if security is None:
            return {}
        named = [(f"security.keys.{name}", text) for name, text in security.keys.items()]
        named += [(f"security.apiKeys.{each.name}", each.key) for each in security.api_keys]
        return {text: self.text(text, place) for place, text in named}

    def _deep(self, value: Any, place: str) -> Any:
        if isinstance(value, str):
            return self.text(value, place) if "${" in value else value
        if isinstance(value, Mapping):
            return {key: self._deep(each, f"{place}.{key}") for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._deep(each, place) for each in value]
        return value

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def shown(written: str, resolver: Resolver, place: str) -> str:
    """A text that is no secret, resolved; as it is where it holds no reference."""
    return resolver.text(written, place) if has_reference(written) else written
