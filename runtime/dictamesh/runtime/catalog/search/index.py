# SPDX-License-Identifier: Apache-2.0
"""Documents written into the index, all of a mesh at once or one by one; an unchanged one is not written again."""

from collections.abc import Iterable
from dataclasses import asdict

import orjson
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from dictamesh.runtime.catalog.search.documents import Document

_WRITE = b"""
INSERT INTO dictamesh_search_documents AS d
    (mesh, kind, address, name, product, entity_types, domain, owner, classification, status, pii, tags, description,
     words, near_words, regimes)
SELECT %(mesh)s, kind, address, name, product, entity_types, domain, owner, classification, status, pii, tags,
       description, words, near_words, regimes
  FROM jsonb_to_recordset(%(documents)s::jsonb) AS r (kind text, address text, name text, product text,
       entity_types text[], domain text, owner text, classification text, status text, pii boolean, tags text[],
       description text, words text, near_words text, regimes text[])
    ON CONFLICT ON CONSTRAINT pk_dictamesh_search_documents DO UPDATE
   SET name = excluded.name, product = excluded.product, entity_types = excluded.entity_types,
       domain = excluded.domain, owner = excluded.owner, classification = excluded.classification,
       status = excluded.status, pii = excluded.pii, tags = excluded.tags, description = excluded.description,
       words = excluded.words, near_words = excluded.near_words, regimes = excluded.regimes
 WHERE (d.name, d.product, d.entity_types, d.domain, d.owner, d.classification, d.status, d.pii, d.tags,
        d.description, d.words, d.near_words, d.regimes)
       IS DISTINCT FROM
       (excluded.name, excluded.product, excluded.entity_types, excluded.domain, excluded.owner,
        excluded.classification, excluded.status, excluded.pii, excluded.tags, excluded.description, excluded.words,
        excluded.near_words, excluded.regimes)
"""
_GONE = b"""
 WHERE d.mesh = %(mesh)s AND d.product <> 'external'
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(%(documents)s::jsonb) AS r (kind text, address text)
                    WHERE r.kind = d.kind AND r.address = d.address)
"""
# Products and entities that left the specs can still be found, as what they were.
_DEPRECATE = (
    b"UPDATE dictamesh_search_documents d SET status = 'deprecated'"
    + _GONE
    + b" AND d.kind IN ('product', 'entity') AND d.status <> 'deprecated'"
)
_DELETE = b"DELETE FROM dictamesh_search_documents d" + _GONE + b" AND d.kind IN ('field', 'relation')"
_FORGET = b"DELETE FROM dictamesh_search_documents WHERE product = 'external' AND address = %s"


async def index(connection: AsyncConnection[TupleRow], mesh: str, documents: Iterable[Document]) -> None:
    """Bring the index to what a mesh holds; run it within a transaction."""
    parameters = _parameters(mesh, documents)
    await connection.execute(_WRITE, parameters)
    await connection.execute(_DEPRECATE, parameters)
    await connection.execute(_DELETE, parameters)


async def index_one(connection: AsyncConnection[TupleRow], mesh: str, document: Document) -> None:
    """Write one document beside those of the specs."""
    await connection.execute(_WRITE, _parameters(mesh, [document]))


async def forget_external(connection: AsyncConnection[TupleRow], entity_type: str) -> None:
    """Take the document of an external entity out of the index."""
    await connection.execute(_FORGET, (entity_type,))


def _parameters(mesh: str, documents: Iterable[Document]) -> dict[str, str]:
    return {"mesh": mesh, "documents": orjson.dumps([asdict(each) for each in documents]).decode()}
