# SPDX-License-Identifier: Apache-2.0
"""Settings in layers, references resolved, keys kept: what a start reads besides the specs (AR-6, S27, S30)."""

import os
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.audit.keys import known_keys
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.mesh.build import build
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.keys import audit_key, needed_keys, public_keys, signer, subject_wrapping
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.runtime.mesh.settings import settings
from dictamesh.specs.documents import Memory
from dictamesh.specs.model import Runtime


def layered(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], **environment: str) -> Runtime:
    for name in list(os.environ):
        if name.startswith("DICTAMESH_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(f"DICTAMESH_{name}", value)
    return settings(Runtime.model_validate({"port": 1000, "logLevel": "error"}), given)


def test_later_layers_win(monkeypatch: pytest.MonkeyPatch) -> None:
    found = layered(monkeypatch, {"port": 3000, "host": None}, PORT="2000", LOG_LEVEL="debug", SHUTDOWN_TIMEOUT="7s")
    assert (found.port, found.log_level, found.shutdown_timeout) == (3000, "debug", 7)
    assert (found.host, found.metrics_port) == ("127.0.0.1", 9090)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "many"), ("PORT", "70000"), ("LOG_LEVEL", "loud"), ("WATCH", "perhaps"), ("SHUTDOWN_TIMEOUT", "-1s")],
)
def test_a_value_that_does_not_fit_names_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartFailed, match=f"DICTAMESH_{name}"):
        layered(monkeypatch, {}, **{name: value})


@pytest.mark.parametrize("word", ["@read_file /etc/passwd", "@format {env[HOME]}", "@jinja {{1}}", "  @int 5"])
def test_words_of_dynaconf_are_refused(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartFailed, match="DICTAMESH_HOST starts with '@'"):
        layered(monkeypatch, {}, HOST=word)


def test_the_environment_sets_nothing_but_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = layered(monkeypatch, {})
    more = layered(
        monkeypatch, {}, SERVERS="{}", SECURITY__ANONYMOUS="x", CATALOG="@read_file x", SETTINGS_FILE="x.yaml"
    )
    assert plain == more


def test_references(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_text("secret\n", encoding="utf-8")
    (tmp_path / "binary.key").write_bytes(b"\xff\xfe")
    resolver = Resolver(tmp_path, {"SET": "value", "EMPTY": ""})
    assert resolver.text("${file:a.key}-${env:SET}-${env:EMPTY:-default}-${env:NONE:-}", "p") == "secret-value-default-"
    for reference, told in {
        "${env:NONE}": "p: the environment variable NONE is not there",
        "${file:none.key}": "p: the file none.key is not there",
        "${file:binary.key}": "p: the file binary.key is not there",
        "${file:.}": "p: the file . is not there",
    }.items():
        with pytest.raises(StartFailed) as failed:
            resolver.text(reference, "p")
        assert failed.value.message == told
        assert failed.value.cure


MESH = """\
apiVersion: dictamesh/v1
kind: Mesh
name: m
security: {keys: {subjects: "${env:SUBJECTS}"}}
audit: {AUDIT}
"""


def plan(audit: str) -> Plan:
    found = build(Memory({"mesh.yaml": MESH.replace("{AUDIT}", audit)}), "mesh.yaml")
    assert found.plan is not None, found.diagnostics
    return found.plan


def test_the_audit_key_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = audit_key(plan("{}"), {}, folder)
    assert len(first) == 32
    assert audit_key(plan("{}"), {}, folder) == first
    assert (folder / "audit.key").stat().st_mode & 0o077 == 0
    assert audit_key(plan("{}"), {}, tmp_path / "other") != first
    assert [path.name for path in folder.iterdir()] == ["audit.key"]
    assert audit_key(plan("{key: subjects}"), {"subjects": b"k"}, folder) == b"k"


def test_a_damaged_audit_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_bytes(b"short")
    with pytest.raises(StartFailed, match="is damaged"):
        audit_key(plan("{}"), {}, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StartFailed, match="cannot be kept"):
        audit_key(plan("{}"), {}, tmp_path / "file")


def test_each_key_of_the_data_folder_is_kept_and_of_its_own(tmp_path: Path) -> None:
    made = signer(plan("{}"), {}, tmp_path)
    wrapping = subject_wrapping(plan("{}"), {}, tmp_path)
    assert signer(plan("{}"), {}, tmp_path).key_id == made.key_id
    assert subject_wrapping(plan("{}"), {}, tmp_path) == wrapping
    assert {path.name for path in tmp_path.iterdir()} == {"audit-signing.key", "audit-signing.pem", "subjects.key"}
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 3
    assert wrapping.key.hex() not in repr(wrapping)


def test_every_public_key_that_signed_is_remembered(tmp_path: Path) -> None:
    keys = {"subjects": b"a secret that is long enough to sign with"}
    first, second = signer(plan("{}"), {}, tmp_path), signer(plan("{signingKey: subjects}"), keys, tmp_path)
    assert signer(plan("{}"), {}, tmp_path).key_id == first.key_id
    assert set(known_keys([(tmp_path / "audit-signing.pem").read_bytes()]).keys) == {first.key_id, second.key_id}
    with pytest.raises(StartFailed, match="cannot sign: it is shorter than 32 bytes"):
        signer(plan("{signingKey: subjects}"), {"subjects": b"short"}, tmp_path)


def test_a_command_asks_for_no_more_secrets_than_it_needs(tmp_path: Path) -> None:
    resolver = Resolver(tmp_path, {"SUBJECTS": "value"})
    assert needed_keys(plan("{key: subjects}"), resolver, [None, "subjects"]) == {"subjects": b"value"}
    with pytest.raises(StartFailed, match="is empty"):
        needed_keys(plan("{key: subjects}"), Resolver(tmp_path, {"SUBJECTS": ""}), ["subjects"])
    assert public_keys(plan("{signingKey: subjects}"), Resolver(tmp_path, {}), tmp_path) == [], "an auditor lacks it"
