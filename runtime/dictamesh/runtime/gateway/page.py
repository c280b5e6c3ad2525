# SPDX-License-Identifier: Apache-2.0
"""The page for browsers: one file of ours, nothing from another host, held to that by its Content-Security-Policy."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """The page and the headers it is sent with."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


@cache
def page() -> Page:
    """Return the page; its scripts and styles are allowed by their hashes, everything else is forbidden."""
    text = (resources.files("dictamesh.runtime.gateway") / "page.html").read_text(encoding="utf-8")
    allowed = {kind: " ".join(_hash(t) for k, t in _INLINE.findall(text) if k == kind) for kind in ("script", "style")}
    policy = (
        f"default-src 'none'; script-src {allowed['script']}; style-src {allowed['style']}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    )
    return Page(text.encode(), headers)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
