# SPDX-License-Identifier: Apache-2.0
"""A genuine Kafka that lets nobody in without proof: SASL/SCRAM over TLS, client certificates, ACLs.

Certificates are made here, users by Kafka's own tool, which the script `kafka` of `DICTAMESH_TEST_SERVICES` runs.
Who comes by the listener without TLS is the administrator, for tests alone.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.services import SERVICES, address, free_port

USER, STRANGER = "mesh", "stranger"
MECHANISMS = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}
_READY = 90.0
_PEM = serialization.Encoding.PEM


@dataclass
class Authority:
    """An authority that certifies names; every pair stands in its folder as `NAME.pem` and `NAME.key`."""

    folder: Path
    name: str = "ca"
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        made = _certificate(self.name, self._key, self.name, self._key, None)
        self.path = self.folder / f"{self.name}.pem"
        self.path.write_bytes(made.public_bytes(_PEM))

    def certify(self, name: str, *hosts: str, days: int = 2, password: str | None = None) -> tuple[Path, Path]:
        """Make a certificate and its key; returns both files. Of fewer than no days, it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self.name, self._key, hosts, days)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(_PEM))
        sealed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        paths[1].write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, sealed))
        return paths


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    hosts: tuple[str, ...] | None,
    days: int = 2,
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    begun = now - timedelta(days=1) + timedelta(days=min(days, 0))
    made = x509.CertificateBuilder().issuer_name(named(issuer)).subject_name(named(name)).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(begun).not_valid_after(now + timedelta(days=days))
    made = made.add_extension(x509.BasicConstraints(ca=hosts is None, path_length=None), critical=True)
    if hosts is None:
        usage = {each: each in {"key_cert_sign", "crl_sign", "digital_signature"} for each in _USAGES}
        made = made.add_extension(x509.KeyUsage(**usage), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = made.add_extension(identifier, critical=False)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = made.add_extension(above, critical=False)
    if hosts:
        names = [x509.IPAddress(ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in hosts]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(signer, hashes.SHA256())


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass
class SecuredBroker:
    """A broker. Listeners: `plain` (the administrator), `sasl`, `mtls`, `other` (a certificate of another host)."""

    folder: Path
    script: Path
    password: str = field(default_factory=lambda: f"pass-{secrets.token_hex(8)}", repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("plain", "sasl", "mtls", "other", "controller")}
        self.authority = Authority(self.folder / "tls")
        self.foreign = Authority(self.folder / "foreign", "unknown-ca")
        for name, hosts in (("server", ("localhost", "127.0.0.1")), ("other", ("other.example",))):
            certificate, key = self.authority.certify(name, *hosts)
            (self.folder / f"{name}.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        self.client = self.authority.certify("mesh")
        self.stranger = self.foreign.certify("mesh")

    def bootstrap(self, listener: str) -> str:
        return f"127.0.0.1:{self.ports[listener]}"

    def scram(self, mechanism: str = "SCRAM-SHA-512", listener: str = "sasl", **changes: Any) -> dict[str, Any]:
        """`events.kafka` by user and password."""
        sasl = {"mechanism": mechanism, "username": USER, "password": self.password, **changes}
        return {"bootstrap": self.bootstrap(listener), "sasl": sasl, "tls": {"ca": str(self.authority.path)}}

    def mutual(self, pair: tuple[Path, Path] | None = None) -> dict[str, Any]:
        """`events.kafka` by a client's certificate."""
        certificate, key = pair or self.client
        files = {"ca": str(self.authority.path), "certificate": str(certificate), "key": str(key)}
        return {"bootstrap": self.bootstrap("mtls"), "tls": files}

    def start(self) -> None:
        config = self.folder / "server.properties"
        config.write_text("\n".join(f"{key}={value}" for key, value in self._properties().items()), "utf-8")
        users = [(USER, self.password), (STRANGER, self.password)]
        scram = [f"{kind}=[name={name},password={word}]" for name, word in users for kind in MECHANISMS]
        added = [part for each in scram for part in ("--add-scram", each)]
        self._tool("kafka.tools.StorageTool", "format", "--cluster-id", "c2VjdXJlZC1icm9rZXItMQ", *added, config=config)
        with (self.folder / "broker.log").open("wb") as log:
            command = [str(self.script), "tool", "kafka.Kafka", str(config)]
            self._process = subprocess.Popen(command, env=_environment(), stdout=log, stderr=subprocess.STDOUT)
        self._until_ready()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def make(self, topic: str, partitions: int = 1, **config: str) -> None:
        for future in self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values():
            future.result(20)

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap("plain")})

    def allow(self, topic: str, *operations: str, principal: str = f"User:{USER}", prefix: bool = False) -> None:
        """Let a principal do something with a topic, or with those whose names begin so."""
        for future in self.admin.create_acls([_acl(topic, each, principal, prefix) for each in operations]).values():
            future.result(20)

    def forbid(self, topic: str) -> None:
        """Take away all that anybody may do with a topic."""
        anything = AclBindingFilter(
            ResourceType.TOPIC, topic, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        for future in self.admin.delete_acls([anything]).values():
            future.result(20)

    def revoke(self, user: str) -> None:
        """The user's credentials are gone; connections end when they are to be shown again, in some seconds."""
        for kind in MECHANISMS.values():
            self._alter(UserScramCredentialDeletion(user, kind))

    def restore(self, user: str) -> None:
        """The user has the credentials again that it had."""
        for kind in MECHANISMS.values():
            self._alter(UserScramCredentialUpsertion(user, ScramCredentialInfo(kind, 4096), self.password.encode()))

    def _alter(self, change: Any) -> None:  # of one user at a time
        for future in self.admin.alter_user_scram_credentials([change]).values():
            future.result(20)

    def _properties(self) -> Mapping[str, object]:
        protocols = {
            "plain": "PLAINTEXT",
            "sasl": "SASL_SSL",
            "mtls": "SSL",
            "other": "SASL_SSL",
            "controller": "PLAINTEXT",
        }
        listeners = {name: f"{name.upper()}://{self.bootstrap(name)}" for name in protocols}
        advertised = [each for name, each in listeners.items() if name != "controller"]
        module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{self.bootstrap('controller')}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAIN",
            "listeners": ",".join(listeners.values()),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join(f"{name.upper()}:{kind}" for name, kind in protocols.items()),
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "log.cleaner.dedupe.buffer.size": 16_777_216,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / "server.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.path,
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.other.ssl.keystore.type": "PEM",
            "listener.name.other.ssl.keystore.location": self.folder / "other.pem",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "connections.max.reauth.ms": 3000,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **{
                f"listener.name.{name}.{kind.lower()}.sasl.jaas.config": module
                for name in ("sasl", "other")
                for kind in MECHANISMS
            },
        }

    def _tool(self, name: str, verb: str, *arguments: str, config: Path) -> None:
        done = subprocess.run(
            [str(self.script), "tool", name, verb, "--config", str(config), *arguments],
            check=False,
            env=_environment(),
            capture_output=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]

    def _until_ready(self) -> None:
        deadline = time.monotonic() + _READY
        while time.monotonic() < deadline:
            assert self._process is not None and self._process.poll() is None, self._said()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports["plain"])) == 0:
                    with contextlib.suppress(KafkaException):
                        self.admin.list_topics(timeout=5)
                        return
            time.sleep(0.1)
        raise AssertionError(f"the broker is not ready: {self._said()}")

    def _said(self) -> str:
        return (self.folder / "broker.log").read_text("utf-8")[-2000:]


def _acl(topic: str, operation: str, principal: str, prefix: bool) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL
    allowed = AclPermissionType.ALLOW
    return AclBinding(ResourceType.TOPIC, topic, pattern, principal, "*", AclOperation[operation], allowed)


def _environment() -> dict[str, str]:
    return {**os.environ, "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"}


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredBroker]:
    """A running broker that lets nobody in without proof, for all tests of a file."""
    script = Path(address(SERVICES)) / "kafka"
    with tempfile.TemporaryDirectory(prefix="dictamesh-secured-") as folder:
        owned = SecuredBroker(Path(folder), script)
        try:
            owned.start()
            yield owned
        finally:
            owned.stop()
