# SPDX-License-Identifier: Apache-2.0
"""Connectors are found by name, each with its driver only when it is used."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from dictamesh.connectors import registry as module
from dictamesh.connectors.reference import reference
from dictamesh.connectors.sdk import Capabilities, Manifest, Options


class Nothing(Options):
    """No options."""


OTHER = SimpleNamespace(
    manifest=Manifest("other", "Other", "Test.", Nothing, Nothing, lambda _source: Capabilities()),
    factory=lambda _options, _context: None,
)
MISNAMED = SimpleNamespace(manifest=OTHER.manifest, factory=OTHER.factory)
HALF = SimpleNamespace(manifest=OTHER.manifest)


@pytest.fixture
def with_points(monkeypatch: pytest.MonkeyPatch):
    def install(*names: str) -> module.Registry:
        values = {"other": "OTHER", "misnamed": "MISNAMED", "half": "HALF", "rest": "OTHER", "lost": "NOT_THERE"}
        points = [EntryPoint(name, f"{__name__}:{values.get(name, name)}", module.GROUP) for name in names]
        monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
        monkeypatch.setattr(module, "entry_points", lambda group: points if group == module.GROUP else [])
        module.registry.cache_clear()
        return module.registry()

    yield install
    module.registry.cache_clear()


def test_built_in_connectors_are_there() -> None:
    assert set(module.manifests()) >= {"file", "postgres", "rest", "sqlite"}
    for name, manifest in module.manifests().items():
        assert manifest.name == name
        assert callable(module.factory(name))


def test_unknown_names_are_key_errors() -> None:
    with pytest.raises(KeyError):
        module.manifest("oracle")
    with pytest.raises(KeyError):
        module.factory("oracle")


def test_an_installed_package_adds_a_connector(with_points) -> None:
    found = with_points("other")
    assert found.notes == ()
    assert module.manifest("other") is OTHER.manifest
    assert module.factory("other") is OTHER.factory


@pytest.mark.parametrize("broken", ["misnamed", "half", "rest", "lost"])
def test_a_broken_package_becomes_a_note_and_leaves_the_others_alone(with_points, broken: str) -> None:
    found = with_points(broken, "other")
    assert [note.entry_point for note in found.notes] == [broken]
    assert set(found.manifests) == {"file", "postgres", "rest", "sqlite", "other"}
    assert module.manifest("rest").title == "REST"


def test_manifests_load_no_driver() -> None:
    code = (
        "import sys; from dictamesh.connectors.registry import manifests; manifests();"
        "print([name for name in ('aiohttp', 'psycopg', 'duckdb', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_reference_names_every_option() -> None:
    page = reference()
    for name in module.BUILT_IN:
        for model in (module.manifest(name).server, module.manifest(name).entity):
            for field in model.model_fields.values():
                assert f"| `{field.alias}` |" in page
    assert "${env:NAME}" in page
