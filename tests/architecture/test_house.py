# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that no linter knows."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest

from dictamesh.connectors.registry import BUILT_IN, manifests
from dictamesh.specs.documents import Folder, load
from dictamesh.specs.jsonschema import document_schema

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("specs", "connectors", "runtime")
DRIVERS = re.compile(r"^\s*(?:import|from) (?:aiohttp|psycopg|psycopg_pool|duckdb|sqlite3|httpx)\b", re.MULTILINE)
DOMAIN_WORDS = re.compile(r"customer|invoice|directus", re.IGNORECASE)


def sources(*roots: str) -> list[Path]:
    return sorted(path for root in roots for path in (ROOT / root / "dictamesh" / root).rglob("*.py"))


def test_the_namespace_package_has_no_init() -> None:
    assert not [root for root in ROOTS if (ROOT / root / "dictamesh" / "__init__.py").exists()]


def test_imports_go_one_way() -> None:
    program = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sources(*ROOTS), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_is_of_a_readable_size_and_says_its_licence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert text.count("\n") <= 500
    assert "TYPE_CHECKING" not in text


def test_most_files_are_small() -> None:
    sizes = sorted(path.read_text(encoding="utf-8").count("\n") for path in sources(*ROOTS))
    assert sizes[len(sizes) * 9 // 10] <= 300


def test_only_clients_import_their_drivers() -> None:
    found = [path for path in sources("connectors") if DRIVERS.search(path.read_text(encoding="utf-8"))]
    allowed = {"client.py"}
    assert [str(path.relative_to(ROOT)) for path in found if path.name not in allowed] == []


def test_the_language_imports_no_driver() -> None:
    code = (
        "import sys, dictamesh.runtime.mesh.build as b; from pathlib import Path; "
        "made = b.build_file(Path('examples/mesh.yaml')); assert made.plan; "
        "print([name for name in ('duckdb', 'aiohttp', 'psycopg', 'opentelemetry') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_connectors_know_no_domain_word() -> None:
    for path in sources("connectors"):
        assert DOMAIN_WORDS.findall(path.read_text(encoding="utf-8")) == [], path


def test_the_examples_fit_the_schema_for_editors() -> None:
    schema = document_schema({name: manifests()[name] for name in sorted(BUILT_IN)})
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    loaded = load(Folder(ROOT / "examples"), "mesh.yaml")
    assert len(loaded.documents) > 5
    for document in loaded.documents:
        assert [error.message for error in validator.iter_errors(document.plain())] == [], document.file
    wrong = {**loaded.documents[0].plain(), "servres": {}}
    assert list(validator.iter_errors(wrong))


def test_what_is_generated_is_current() -> None:
    command = [sys.executable, "tools/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_everything(tmp_path: Path) -> None:
    code = f"import hatchling.build as b; print(b.build_wheel({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(tmp_path / done.stdout.strip().splitlines()[-1]) as wheel:
        names = set(wheel.namelist())
    for root in ROOTS:
        assert f"dictamesh/{root}/__init__.py" in names
        assert f"dictamesh/{root}/py.typed" in names
    assert "dictamesh/runtime/gateway/page.html" in names
    assert "dictamesh/runtime/lineage/openlineage/spec/OpenLineage.json" in names
    assert any(name.endswith("0001_catalog.up.sql") for name in names)
    assert "dictamesh/__init__.py" not in names


def test_the_lock_names_no_index() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links", text), path
        assert "--hash=sha256:" in text
