# SPDX-License-Identifier: Apache-2.0
"""A mesh without `security` serves strangers what is public, on loopback only (S15)."""

from pathlib import Path

from tests.support.running import command

MESH = "apiVersion: dictamesh/v1\nkind: Mesh\nname: open\n"


async def test_without_security_no_other_address_is_served(tmp_path: Path) -> None:
    config = tmp_path / "mesh.yaml"
    config.write_text(MESH)
    options = ("--config", str(config), "--port", "0", "--metrics-port", "0", "--data-dir", str(tmp_path / "data"))
    code, _, told = await command(*options, "--host", "0.0.0.0")  # noqa: S104 - it must be refused
    assert code == 3
    assert "stays on loopback" in told
    code, _, told = await command(*options, environment={"DICTAMESH_HOST": "0.0.0.0"})  # noqa: S104 - likewise
    assert code == 3
    assert "stays on loopback" in told
    assert not (tmp_path / "data").exists()
