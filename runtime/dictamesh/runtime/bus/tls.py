# SPDX-License-Identifier: Apache-2.0
"""Files of TLS, and why a server and we do not come together: one handshake of our own tells what clients do not.

librdkafka says neither what is wrong with a certificate that it does not accept, nor that the server misses ours.
"""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dictamesh.specs.model.events import Tls

_ANSWER = 3.0  # seconds for connection and handshake
_ALERT = 1.0  # seconds for a refusal of our certificate, which TLS 1.3 sends behind the handshake
_OTHER_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_PAST = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_NO_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
        "UNEXPECTED_EOF_WHILE_READING",
    }
)

Text = Callable[[str, str], str]
"""Resolves references in a text; the second argument names its place."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a server and we do not come together; `place` is the key of the mesh file. All texts are ours."""

    place: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Unusable(Exception):  # noqa: N818 - the name says what is the case
    """A file of TLS is of no use."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Files:
    """Files of TLS by their paths, and the section of the mesh file that names them; None: those of the system."""

    place: str
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = field(default=None, repr=False)


def files(tls: Tls, text: Text, folder: Path, place: str) -> Files:
    """Return the files that a section of the mesh file names, relative to `folder`; raises what `text` raises."""
    paths = {
        name: None if written is None else str(folder / text(written, f"{place}.{name}"))
        for name, written in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key))
    }
    password = None if tls.key_password is None else text(tls.key_password, f"{place}.keyPassword")
    return Files(place, **paths, key_password=password)


@dataclass(frozen=True, slots=True)
class Trust:
    """What verifies servers and their host names; `own`: it shows a certificate of ours, too."""

    context: ssl.SSLContext = field(repr=False)
    own: bool


def trust(named: Files) -> Trust:
    """Return what verifies servers by some files; raises Unusable naming the key of the file."""
    for name in ("ca", "certificate", "key"):
        _readable(named, name)
    try:
        made = ssl.create_default_context(cafile=named.ca)
    except ssl.SSLError:
        raise _unusable(named, "ca", "the file holds no certificate that can be read", "write it as PEM") from None
    if named.certificate is None:
        return Trust(made, own=False)
    try:
        # an encrypted key without a password would be asked for at the terminal
        made.load_cert_chain(named.certificate, named.key, named.key_password or "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _unusable(named, "key", "the key is not that of the certificate", "name files of one pair") from None
        raise _unusable(
            named, "key", "certificate and key cannot be read", "write both as PEM, and see keyPassword"
        ) from None
    return Trust(made, own=True)


def probe(host: str, port: int, trusted: Trust, place: str) -> Fault | None:
    """Return why no connection to a server comes about, None where TLS is not why; takes some seconds at most.

    `place` is the section of the mesh file that holds `tls`.
    """
    try:
        with (
            socket.create_connection((host, port), _ANSWER) as plain,
            trusted.context.wrap_socket(plain, server_hostname=host) as connected,
        ):
            connected.settimeout(_ALERT)
            return _certificate(place, f"{host}:{port}", own=trusted.own) if _ended(connected) else None
    except ssl.SSLCertVerificationError as error:
        return _unverified(error, place, f"{host}:{port}")
    except ssl.SSLError as error:
        return _refused(error.reason or "", place, f"{host}:{port}", own=trusted.own)
    except OSError:
        return None


def _ended(connected: ssl.SSLSocket) -> bool:
    """Whether a server ends a connection behind the handshake, at which it waits for us if it takes our certificate."""
    try:
        return connected.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def reachable(host: str, port: int) -> bool:
    """Whether a server takes connections; takes some seconds at most."""
    try:
        with socket.create_connection((host, port), _ANSWER):
            return True
    except OSError:
        return False


def speaks_tls(host: str, port: int) -> bool:
    """Whether a server answers to TLS, whatever its certificate; takes some seconds at most."""
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), _ANSWER) as plain, anything.wrap_socket(plain):
            return True
    except OSError:
        return False


def _unverified(error: ssl.SSLCertVerificationError, place: str, server: str) -> Fault:
    if error.verify_code in _OTHER_NAME:
        return Fault(
            place,
            f"the certificate of {server} is for another host name",
            "reach it by a name in its certificate, or give it a certificate for this one",
        )
    if error.verify_code in _PAST:
        return Fault(place, f"the certificate of {server} is not valid at this time", "renew it, or see the clocks")
    return Fault(
        f"{place}.tls.ca",
        f"the certificate of {server} is of no authority that is trusted",
        "name the file with the certificate of its authority",
    )


def _refused(reason: str, place: str, server: str, *, own: bool) -> Fault | None:
    if reason in _NO_TLS:
        return Fault(f"{place}.tls", f"{server} seems to speak no TLS", "see the address, or remove 'tls'")
    return _certificate(place, server, own=own) if "ALERT" in reason else None


def _certificate(place: str, server: str, *, own: bool) -> Fault:
    if own:
        cure = "see that it is of an authority that the server trusts, and valid"
        return Fault(f"{place}.tls.certificate", f"{server} does not accept our certificate", cure)
    return Fault(f"{place}.tls.certificate", f"{server} asks for a certificate of ours", "name 'certificate' and 'key'")


def _readable(named: Files, name: str) -> None:
    path = getattr(named, name)
    if path is None:
        return
    try:
        with Path(path).open("rb") as opened:
            opened.read(1)
    except OSError:
        raise _unusable(
            named, name, "the file is not there, or cannot be read", "create it, or correct the path"
        ) from None


def _unusable(named: Files, name: str, what: str, cure: str) -> Unusable:
    return Unusable(Fault(f"{named.place}.{name}", what, cure))
