# SPDX-License-Identifier: Apache-2.0
"""Names of tables as OpenLineage has them: the server's address, then database, schema and table."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from dictamesh.connectors.sql.relation import table_parts
from dictamesh.specs.manifest import Dataset

_PAIR = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)+))")
_ESCAPED = re.compile(r"\\(.)")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d*))?")


def postgres_dataset(dsn: str, physical_name: str) -> Dataset | None:
    """`postgres://host:port` and `database.schema.table`, from a URL or a `key=value` text of libpq.

    The first of several hosts stands for all; a socket folder is `localhost`. None for a text of neither form. Source:
    OpenLineage, dataset naming.
    """
    facts = _url(dsn) if "://" in dsn else _pairs(dsn)
    if facts is None:
        return None
    host = (facts.get("host") or facts.get("hostaddr") or "").split(",")[0]
    port = (facts.get("port") or "5432").split(",")[0]
    database = facts.get("dbname") or facts.get("user") or "postgres"
    parts = table_parts(physical_name)
    schema = parts[-2] if len(parts) > 1 else "public"
    if not host or host.startswith(("/", "@")):
        host = "localhost"
    return Dataset(f"postgres://{f'[{host}]' if ':' in host else host}:{port}", f"{database}.{schema}.{parts[-1]}")


def _url(dsn: str) -> Mapping[str, str] | None:
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return None
    user, _, hosts = parts.netloc.rpartition("@")
    address = _HOST.fullmatch(hosts.split(",")[0])
    if parts.scheme not in {"postgres", "postgresql"} or address is None:
        return None
    facts = {key: value for key, value in parse_qsl(parts.query) if key in {"host", "port", "dbname", "user"}}
    given = {
        "host": unquote(address[1]).strip("[]"),
        "port": address[2] or "",
        "dbname": unquote(parts.path.strip("/")),
        "user": unquote(user.split(":")[0]),
    }
    return facts | {key: value for key, value in given.items() if value}


def _pairs(dsn: str) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    text, at = dsn.strip(), 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            return None
        found[match[1]] = _ESCAPED.sub(r"\1", match[2] if match[2] is not None else match[3])
        at = match.end()
    return found or None
