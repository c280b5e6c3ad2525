# SPDX-License-Identifier: Apache-2.0
"""What nodes, jobs and edges are recognised by, whoever writes them."""

import hashlib
from typing import Any

import orjson


def key_of(*facts: Any) -> str:
    """SHA-256 of the facts as a JSON array, in hexadecimal."""
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()


def node_key(namespace: str, name: str, field: str = "") -> str:
    return key_of(namespace, name, field)
