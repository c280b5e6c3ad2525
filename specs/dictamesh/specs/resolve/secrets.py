# SPDX-License-Identifier: Apache-2.0
"""Secrets stand in a document by reference only, and references only where they are resolved (S24, S27)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel

from dictamesh.specs.diagnostics import Findings, Severity
from dictamesh.specs.documents import (
    Document,
    Loaded,
    Path,
    Site,
    has_reference,
    malformed,
    references,
)
from dictamesh.specs.manifest import Manifest, SecretMark
from dictamesh.specs.model import Mesh
from dictamesh.specs.model.events import Changes
from dictamesh.specs.resolve.keys import aliases
from dictamesh.specs.resolve.scopes import inside
from dictamesh.specs.suggest import suggest

REFERENCES: Mapping[str, tuple[Path, ...]] = {
    "Mesh": (
        ("servers", "*"),
        ("security", "keys", "*"),
        ("security", "apiKeys", "*", "key"),
        ("catalog", "dsn"),
        ("lineage", "openlineage", "url"),
        ("lineage", "openlineage", "apiKey"),
        ("audit", "publish"),
        ("erasure", "ledger"),
        ("events", "kafka", "bootstrap"),
        ("events", "kafka", "sasl", "username"),
        ("events", "kafka", "sasl", "password"),
        ("events", "kafka", "tls"),
        ("events", "registry", "url"),
        ("events", "registry", "username"),
        ("events", "registry", "password"),
        ("events", "hooks", "*", "url"),
        ("events", "hooks", "*", "secret"),
    ),
    "DataProduct": (
        ("servers", "*"),
        ("source", "*", "changes", "webhook", "signature", "secret"),
        ("source", "*", "changes", "kafka", "bootstrap"),
        ("source", "*", "changes", "kafka", "sasl", "username"),
        ("source", "*", "changes", "kafka", "sasl", "password"),
        ("source", "*", "changes", "kafka", "tls"),
        ("source", "*", "changes", "kafka", "registry", "url"),
        ("source", "*", "changes", "kafka", "registry", "username"),
        ("source", "*", "changes", "kafka", "registry", "password"),
        ("source", "*", "changes", "kafka", "registry", "tls"),
    ),
}
"""Where references may stand, by kind of document; `*` is any key or position."""

_SECRET_NAME = re.compile(
    r"(authorization|cookie|passw(or)?d|passphrase|secret|token|credentials?|api[-_]?key|[-_]key)\Z", re.IGNORECASE
)
_USERINFO = re.compile(r"://[^/\s:@]*:(?P<password>[^@\s/]+)@")


def check_secrets(document: Document, manifests: Mapping[str, Manifest], findings: Findings) -> None:
    """Record every literal secret of a document, whatever else is wrong with it, so that no excerpt shows one."""
    plain = document.plain()
    if document.kind == "Mesh":
        _check_model(Mesh, plain, document.site, findings)
        for keys in (("audit", "publish"), ("events", "registry", "url")):
            place = _below(document.site, keys)
            if isinstance(place.plain, str):
                _check_userinfo(place.plain, place, findings)
    if document.kind == "DataProduct":
        _check_changes(plain.get("source"), document.site / "source", findings)
    servers = plain.get("servers")
    if isinstance(servers, Mapping):
        named: list[tuple[str | int, Any]] = list(servers.items())
    else:
        named = list(enumerate(servers)) if isinstance(servers, list) else []
    for key, server in named:
        if isinstance(server, Mapping):
            manifest = manifests.get(str(server.get("type")))
            _check_server(manifest, server, document.site / "servers" / key, findings)


def _check_changes(source: Any, site: Site, findings: Findings) -> None:
    for name, binding in source.items() if isinstance(source, Mapping) else ():
        if isinstance(binding, Mapping):
            place = site / name / "changes"
            _check_model(Changes, binding.get("changes"), place, findings)
            registry = _below(place, ("kafka", "registry", "url"))
            if isinstance(registry.plain, str):
                _check_userinfo(registry.plain, registry, findings)


def _check_model(model: type[BaseModel], data: Any, site: Site, findings: Findings) -> set[Path]:
    paths = set()
    for path, value in _secrets(model, data, ()):
        _check_secret(value, _below(site, path), findings)
        paths.add(path)
    return paths


def _check_server(manifest: Manifest | None, data: Mapping[str, Any], site: Site, findings: Findings) -> None:
    marked = _check_model(manifest.server, data, site, findings) if manifest else set()
    for path, value in _leaves(data, ()):
        place = _below(site, path)
        if path in marked:
            continue
        if _SECRET_NAME.search(str(path[-1])):
            _check_secret(value, place, findings)
        elif isinstance(value, str):
            _check_userinfo(value, place, findings)


def _check_userinfo(address: str, place: Site, findings: Findings) -> None:
    for found in _USERINFO.finditer(address):
        if not has_reference(found["password"]):
            at = inside(place, found.start("password"), found.end("password"))
            findings.error("DM701", at, f"a password is written into '{place.path[-1]}'", secret=True)


def _check_secret(value: Any, place: Site, findings: Findings) -> None:
    name = place.path[-1]
    if not isinstance(value, str) or not has_reference(value):
        findings.error("DM701", place, f"'{name}' is written into the file", secret=True)
        return
    for reference in references(value):
        if reference.default:
            findings.error("DM703", place, f"the default of '{name}' is a literal secret", secret=True)
            return


def _secrets(annotation: Any, data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    args = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _model_secrets(annotation, data, path)
    elif any(isinstance(arg, SecretMark) for arg in args):
        yield path, data
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _secrets(args[0] if args else None, value, (*path, index))
    elif isinstance(data, Mapping) and _is_mapping(annotation):
        for key, value in data.items():
            yield from _secrets(args[1], value, (*path, key))
    else:
        for arg in args:
            yield from _secrets(arg, data, path)


def _model_secrets(model: type[BaseModel], data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if not isinstance(data, Mapping):
        return
    fields = dict(zip(aliases(model), model.model_fields.values(), strict=True))
    for key, value in data.items():
        field = fields.get(key) or fields.get(
            suggest(key, fields) or ""
        )  # a mistyped key holds the secret all the same
        if value is None or field is None:
            continue
        if any(isinstance(mark, SecretMark) for mark in field.metadata):
            yield (*path, key), value
        elif key in fields:
            yield from _secrets(field.annotation, value, (*path, key))


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def check_references(document: Document, findings: Findings) -> None:
    """Record malformed references anywhere in a document, and references where nothing resolves them.

    Of a contract without a source nothing is resolved, so that they are warnings there. The query of a quality rule
    has placeholders of its own, `${table}` and `${column}` (ODCS).
    """
    if "${" not in document.source.text and "\\" not in document.source.text:
        return  # no text holds one, however it is written
    found = Findings()
    for path, value in _texts(document.plain(), ()):
        _check_text(document, path, value, found)
    served = document.kind != "DataProduct" or "source" in document.node
    findings.extend(each if served else replace(each, severity=Severity.WARNING) for each in found)


def _check_text(document: Document, path: Path, value: str, findings: Findings) -> None:
    site = Site(document, path)
    for problem in malformed(value) if not _is_rule(path) else ():
        findings.error("DM702", inside(site, problem.start, problem.end), problem.reason)
    found = references(value)
    if found and not may_refer(document.kind, path):
        at = inside(site, found[0].start, found[0].end)
        findings.error("DM705", at, f"'{_name(path)}' takes no reference", _instead(path))


def _is_rule(path: Path) -> bool:
    return path[-3:-2] == ("quality",) and path[-1] == "query"


def may_refer(kind: str, path: Path) -> bool:
    """Whether a reference may stand at a path of a document."""
    if path[:1] == ("servers",) and path[-1] in {"type", "server"} and len(path) == len(("servers", "*", "type")):
        return False
    return any(
        len(path) >= len(allowed) and all(mine in {each, "*"} for each, mine in zip(path, allowed, strict=False))
        for allowed in REFERENCES.get(kind, ())
    )


def _instead(path: Path) -> str | None:
    if path[0] == "runtime":
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(path[-1])).upper()
        return f"Write the value itself; the environment variable DICTAMESH_{name} goes before it."
    return None


def missing_references(loaded: Loaded, env: Mapping[str, str], exists: Callable[[str], bool]) -> Findings:
    """Notes on references that could not be resolved now (S27); `exists` says so for a path as a reference names it.

    A variable with a default is never missing. No value is read.
    """
    findings = Findings()
    for document in loaded.documents:
        for path, value in _texts(document.plain(), ()):
            if not may_refer(document.kind, path):
                continue
            for each in references(value):
                there = each.default is not None or each.name in env if each.kind == "env" else exists(each.name)
                if not there:
                    what = "environment variable" if each.kind == "env" else "file"
                    at = inside(Site(document, path), each.start, each.end)
                    findings.note("DM704", at, f"the {what} {each.name} is not there")
    return findings


def _name(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _below(site: Site, path: Path) -> Site:
    for part in path:
        site = site / part
    return site


def _texts(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(data, str):
        if "${" in data:
            yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*path, index))


def _leaves(data: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _leaves(value, (*path, index))
    elif data is not None:
        yield path, data
