# SPDX-License-Identifier: Apache-2.0
"""E-mail addresses and phone numbers."""

import re
from collections.abc import Iterable
from functools import lru_cache

import phonenumbers

from dictamesh.runtime.scan.formats.format import Format

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL")
"""Regions whose national forms are tried where nothing tells the region."""

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}"
    r"(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})"
)
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "pdf", "zip", "exe", "json", "html"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PHONE = re.compile(r"\+?[\d\s().\-/]{6,24}(?:\s?(?:x|ext\.?|#)\s?\d{1,6})?", re.IGNORECASE)


def email(text: str) -> bool:
    """An address of a mailbox in ASCII (RFC 5321 lengths, no quoted local parts); names of files are none."""
    value = text.strip().removeprefix("mailto:")
    if len(value) > 254 or value.count("@") != 1 or not _EMAIL.fullmatch(value):
        return False
    local, _, domain = value.partition("@")
    dotted = local.startswith(".") or local.endswith(".") or ".." in local
    return not dotted and domain.rpartition(".")[2].lower() not in _FILES


def phone_international(text: str) -> bool:
    """A number that begins with + or 00 and is assigned in the plan of its country (ITU E.164)."""
    value = text.strip()
    if value.startswith("00"):
        value = f"+{value[2:]}"
    return value.startswith("+") and _PHONE.fullmatch(value) is not None and _valid(value, None)


def phone_national(text: str, regions: Iterable[str] = REGIONS) -> bool:
    """A number as it is dialled within one of some regions."""
    value = text.strip()
    if not _PHONE.fullmatch(value) or value.startswith("+") or _DAY.fullmatch(value):
        return False
    return any(_valid(value, region) for region in regions)


@lru_cache(maxsize=4096)
def _valid(text: str, region: str | None) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, region)))
    except phonenumbers.NumberParseException:
        return False


def known_region(text: str) -> bool:
    """Whether a text is a region of ISO 3166 that has a numbering plan."""
    return text in phonenumbers.SUPPORTED_REGIONS


EMAIL = Format("email", "email", email, ("XXXXX.XXXXX.XX",), 0.001, 0.97, passes=0.97)
INTERNATIONAL = Format(
    "phone-international", "phone", phone_international, ("+99 999 9999999", "0099 999 9999999"), 0.3, 0.8, passes=0.95
)
NATIONAL = Format("phone-national", "phone", phone_national, ("(999) 999-9999", "0999 999999"), 0.95, 0.15, least=0.5)

CONTACT = (EMAIL, INTERNATIONAL, NATIONAL)
