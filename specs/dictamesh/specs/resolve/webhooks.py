# SPDX-License-Identifier: Apache-2.0
"""What a webhook declares: headers that can be sent, words that mean one thing."""

import re
from collections.abc import Iterator

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model.events import EventTypes, WebhookChanges

_HEADER = "header:"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
_KINDS = ("created", "updated", "deleted")


def check_webhook(webhook: WebhookChanges, site: Site, findings: Findings) -> None:
    """Check the webhook of an entity."""
    signature, here = webhook.signature, site / "signature"
    for key, name, place in _headers(webhook, site):
        if not _TOKEN.fullmatch(name):
            findings.error("DM156", place, f"'{name}' in '{key}' is no name of a header", "Write it as X-Signature.")
    if signature.timestamp is not None and signature.timestamp.lower() == signature.header.lower():
        message = f"'{signature.timestamp}' cannot hold both the signature and its time"
        findings.error("DM156", here / "timestamp", message, "Name the header that the sender writes the time into.")
    if signature.timestamp is None:
        message = "no time is signed, so whoever records a delivery can send it again"
        hint = "Add 'timestamp' where the sender signs one; a poll beside the webhook sets right what a replay undid."
        findings.note("DM155", here.key_span, message, hint)
    check_words(webhook.event, site / "event", findings)


def check_words(event: EventTypes, site: Site, findings: Findings) -> None:
    """Check that each word of a sender means one kind of change."""
    meant: dict[str, str] = {}
    for kind in _KINDS:
        for word in getattr(event, kind):
            before = meant.setdefault(word, kind)
            if before != kind:
                place = site / kind if (site / kind).exists else site.key_span
                message = f"'{word}' means both {before} and {kind}"
                findings.error("DM156", place, message, "Leave it in one of them.")


def _headers(webhook: WebhookChanges, site: Site) -> Iterator[tuple[str, str, Site]]:
    here = site / "signature"
    if (here / "header").exists:
        yield "header", webhook.signature.header, here / "header"
    if webhook.signature.timestamp is not None:
        yield "timestamp", webhook.signature.timestamp, here / "timestamp"
    if webhook.id is not None and webhook.id.startswith(_HEADER):
        yield "id", webhook.id.removeprefix(_HEADER).strip(), site / "id"
