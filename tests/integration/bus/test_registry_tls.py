# SPDX-License-Identifier: Apache-2.0
"""A genuine registry behind TLS and basic authentication (SR-2): used where it trusts us, and we it; else told why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dictamesh.runtime.bus.registry import RegistryRefused, RegistryUnavailable, SchemaRegistry
from dictamesh.runtime.bus.schemas import Schemas, subject
from dictamesh.runtime.mesh.failure import StartFailed
from dictamesh.runtime.mesh.publishing import registry_of
from dictamesh.runtime.mesh.references import Resolver
from dictamesh.specs.model.events import Registry
from tests.support.bus import customer, wanted
from tests.support.example import files, plan
from tests.support.fronted import fronted
from tests.support.secured import Authority
from tests.support.services import free_port, registered, unique

pytestmark = pytest.mark.kafka
SECRETS = {"REGISTRY_PASSWORD": "pass-right-żółw:1"}  # neither Latin-1 nor without a colon


def client(section: dict[str, Any], folder: Path) -> SchemaRegistry:
    """A client as the mesh file makes it."""
    made = plan(files())
    declared = Registry.model_validate({"username": "us", "password": "${env:REGISTRY_PASSWORD}", **section})
    mesh = made.mesh.model_copy(update={"events": made.mesh.events.model_copy(update={"registry": declared})})
    found = registry_of(replace(made, mesh=mesh), Resolver(folder, SECRETS))
    assert found is not None
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("mutual", [False, True])
async def test_schemas_are_registered_and_read(
    registry: str, tmp_path: Path, authority: Authority, mutual: bool
) -> None:
    topic = wanted(customer(unique("customers")))
    pair = authority.certify("registry", "127.0.0.1")
    authority.certify("us", password="pass-key")
    tls = {"ca": "ca.pem"}
    if mutual:
        tls |= {"certificate": "us.pem", "key": "us.key", "keyPassword": "pass-key"}
    async with fronted(registry, pair, "us", SECRETS["REGISTRY_PASSWORD"], authority.path if mutual else None) as url:
        asked = client({"url": url, "tls": tls}, tmp_path)
        schemas = Schemas(asked, "BACKWARD")
        await schemas.check({topic.name: topic})
        await schemas.register({topic.name: topic})
        assert (await asked.schema(schemas.ids[topic.name]))["name"] == "CustomerEvent"
        await asked.close()
    assert registered(registry, subject(topic.name)) == [1]


@pytest.mark.parametrize(
    ("case", "place", "what"),
    [
        ("password", "events.registry", "does not accept these credentials (401)"),
        ("authority", "events.registry.tls.ca", "of no authority that is trusted"),
        ("no authority", "events.registry.tls.ca", "of no authority that is trusted"),
        ("host", "events.registry", "is for another host name"),
        ("expired", "events.registry", "is not valid at this time"),
        ("no certificate", "events.registry.tls.certificate", "asks for a certificate of ours"),
        ("stranger", "events.registry.tls.certificate", "does not accept our certificate"),
    ],
)
async def test_a_refusal_is_told_with_its_place(
    registry: str, tmp_path: Path, authority: Authority, case: str, place: str, what: str
) -> None:
    foreign = Authority(tmp_path / "foreign", "unknown-ca")
    foreign.certify("us")
    section: dict[str, Any] = {"tls": {"ca": "foreign/unknown-ca.pem" if case == "authority" else "ca.pem"}}
    if case == "no authority":
        section = {}
    if case == "stranger":
        section["tls"] |= {"certificate": "foreign/us.pem", "key": "foreign/us.key"}
    host = "other.example" if case == "host" else "127.0.0.1"
    pair = authority.certify("registry", host, days=-1 if case == "expired" else 2)
    asked_for = authority.path if case in {"no certificate", "stranger"} else None
    password = "pass-other" if case == "password" else SECRETS["REGISTRY_PASSWORD"]
    async with fronted(registry, pair, "us", password, asked_for) as url:
        asked = client({"url": url, **section}, tmp_path)
        with pytest.raises(RegistryRefused) as refused:
            await asked.latest("t")
        await asked.close()
    said = f"{refused.value}; {refused.value.fault.cure}"
    assert said.startswith(f"{place}: ") and what in said and "pass-" not in f"{said} {refused.value!r} {asked!r}"


async def test_where_nobody_listens_nobody_refuses(tmp_path: Path, authority: Authority) -> None:
    asked = client({"url": f"https://127.0.0.1:{free_port()}", "tls": {"ca": "ca.pem"}}, tmp_path)
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        await asked.latest("t")
    await asked.close()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"events\.registry\.tls\.ca: the file is not there"):
        client({"url": "https://127.0.0.1:1", "tls": {"ca": "nothing.pem"}}, tmp_path)
