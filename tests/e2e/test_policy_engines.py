# SPDX-License-Identifier: Apache-2.0
"""The engine of the guide as an installed distribution: it keeps the contract, decides, and is missed elsewhere."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dictamesh.specs.engines import registry
from tests.support.distributions import imported, install, modules
from tests.support.running import ROOT, command, example_tree

GUIDE = ROOT / "docs/how-to/add-a-policy-engine.md"
POINTS = "[dictamesh.policies]\ngrants = toml_grants:ENGINE\n"
EMAIL = "customers#Customer.email"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site"
    install(folder, "toml-grants", modules(GUIDE), POINTS)
    monkeypatch.syspath_prepend(str(folder))
    registry.installed.cache_clear()
    yield folder
    sys.modules.pop("toml_grants", None)
    registry.installed.cache_clear()
    registry.compiled.cache_clear()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example with the policy of the guide."""
    found = example_tree(tmp_path)
    policy = re.search(r"<!-- policy -->\n```yaml\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert policy is not None
    (found.parent / "policies/grants.yaml").write_text(f"apiVersion: dictamesh/v1\n{policy[1]}", encoding="utf-8")
    return found


def test_the_engine_of_the_guide_keeps_the_contract(package: Path) -> None:
    imported(package / "test_toml_grants.py").test_it_keeps_the_contract()


async def test_it_decides_where_it_is_installed(package: Path, config: Path) -> None:
    there = {"PYTHONPATH": str(package)}
    code, out, err = await command("policy", "test", "--config", str(config), environment=there)
    assert code == 0, out + err
    asked = ["policy", "explain", "--config", str(config), "--format", "json", EMAIL]
    code, out, _ = await command(*asked, "--as", "support", "--purpose", "service", environment=there)
    told = {each["policy"]: each["rules"] for each in json.loads(out)["policies"]}
    assert code == 0
    assert [(each["rule"], each["says"], each["state"]) for each in told["direct-identifiers-by-grants"]] == [
        ("service desk", "allow", "speaks")
    ]


async def test_a_change_of_its_text_is_reviewed_by_what_it_does(package: Path, config: Path) -> None:
    before = config.parent.parent / "before"
    before.mkdir()
    old = example_tree(before)
    policy = config.parent / "policies/grants.yaml"
    stricter = policy.read_text("utf-8").replace(
        "tests:", '  [[bar]]\n  name = "no stewards"\n  roles = ["steward"]\ntests:'
    )
    (old.parent / "policies/grants.yaml").write_text(stricter, encoding="utf-8")
    arguments = ["--config", str(config), "--from", str(old.parent), "--to", str(config.parent), "--format", "json"]
    code, out, err = await command("diff", *arguments, environment={"PYTHONPATH": str(package)})
    assert code == 0, err
    found = json.loads(out)
    assert found["class"] == "privacy-weakening"
    seen = {(each["principal"], each["before"], each["after"]) for each in found["access"] if each["address"] == EMAIL}
    assert ("steward", "deny", "redact") in seen
    assert found["regimes"] == ["CCPA", "GDPR"]


async def test_it_is_missed_where_it_is_not(config: Path) -> None:
    code, out, _ = await command("validate", "--config", str(config), "--format", "json")
    (fault,) = json.loads(out)["diagnostics"] if isinstance(json.loads(out), dict) else json.loads(out)
    assert code == 1
    assert (fault["code"], fault["message"]) == ("DM413", "there is no engine 'grants'")
    assert "Installed here: cedar, rules." in fault["hint"]


async def test_one_that_does_not_load_is_told(package: Path, config: Path) -> None:
    (package / "toml_grants.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    there = {"PYTHONPATH": str(package)}
    code, out, err = await command("validate", "--config", str(config), environment=there)
    assert code == 1
    assert "the engine 'grants' of toml-grants cannot be used: it does not load: ModuleNotFoundError" in out + err
