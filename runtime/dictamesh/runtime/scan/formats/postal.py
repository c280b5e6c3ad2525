# SPDX-License-Identifier: Apache-2.0
"""Postcodes, street addresses and places on the map."""

import re

from dictamesh.runtime.scan.formats.format import Format

_UK = re.compile(
    r"(?:[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRVWXY])) ?\d[ABD-HJLNP-UW-Z]{2}"
)
_CA = re.compile(r"[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d")
_NL = re.compile(r"[1-9]\d{3} ?(?!SA|SD|SS)[A-Z]{2}")
_DIGITS = re.compile(r"\d{4,6}|\d{5}-\d{4}|\d{2}-\d{3}|\d{4}-\d{3}|\d{3} \d{2}|\d{5}-\d{3}|\d{3}-\d{4}", re.ASCII)
_PAIR = re.compile(r"[(\[]?\s*(-?\d{1,3}\.\d{2,12})\s*[,;]\s*(-?\d{1,3}\.\d{2,12})\s*[)\]]?", re.ASCII)
_ONE = re.compile(r"-?\d{1,3}\.\d{3,}", re.ASCII)
_STREET = re.compile(
    r"(?:^|\W)(?:"
    r"street|st|road|rd|avenue|ave|boulevard|blvd|lane|ln|drive|dr|court|ct|square|sq|terrace|crescent|close|highway|hwy"
    r"|parkway|pkwy|place|pl|gardens|mews|way|row|rue|allée|allee|impasse|chemin|quai|cours|route|passage|calle|avenida"
    r"|avda|paseo|plaza|plaça|carrer|carretera|camino|ronda|via|viale|piazza|corso|vicolo|largo|strada|rua|travessa|praça"
    r"|ulica|ul|aleja|al|plac|ulice|náměstí|třída|utca|út|útja|tér|tere|körút|caddesi|sokak|gate|gata|gade|vej|vei|väg"
    r"|platz|gasse|weg|allee|damm|ufer|ring|kade|gracht|laan|plein|dreef|singel"
    r")(?:\W|$)"
    r"|\w(?:str\.|straße|strasse|straat|gasse|weg|platz|allee|ring|damm|ufer|steig|laan|plein|kade|gracht|dreef|singel"
    r"|gatan|gata|vägen|veien|vegen|gade|vej|stræde|katu|tie)(?:\W|$)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?:^|\s|,|#)\d{1,5}(?:\s?[a-zA-Z]|[/-]\w{1,4})?(?:$|[\s,.])", re.ASCII)


def postcode(text: str) -> bool:
    """A postcode of letters and digits: of the United Kingdom, Canada or the Netherlands."""
    value = text.strip().upper()
    return any(pattern.fullmatch(value) for pattern in (_UK, _CA, _NL))


def postcode_digits(text: str) -> bool:
    """A postcode of digits, in the forms of most other countries."""
    return _DIGITS.fullmatch(text.strip()) is not None


def street_address(text: str) -> bool:
    """A word for a way, and a house number (Hauptstraße 12, 12 High Street, rue Descartes 48)."""
    value = text.strip()
    return 5 <= len(value) <= 200 and _NUMBER.search(value) is not None and _STREET.search(value) is not None


def coordinates(text: str) -> bool:
    """A latitude and a longitude in degrees."""
    found = _PAIR.fullmatch(text.strip())
    return found is not None and abs(float(found[1])) <= 90 and abs(float(found[2])) <= 180


def degree(text: str) -> bool:
    """One latitude or longitude, to at least three decimals."""
    return _ONE.fullmatch(text.strip()) is not None and abs(float(text)) <= 180


POSTAL = (
    Format("postcode", "postcode", postcode, ("A99 9AA", "AA9 9AA", "A9A 9A9", "9999 AA"), 0.95, 0.55),
    Format("postcode-digits", "postcode", postcode_digits, ("99999",), 1.0, 0.1),
    Format(
        "street-address", "address", street_address, ("Aaaaaa 99", "99 Aaaaaa aaa"), 0.01, 0.8, passes=0.8, least=0.5
    ),
    Format("coordinates", "coordinates", coordinates, ("99.9999, 99.9999",), 0.95, 0.6),
    Format("degree", "coordinates", degree, ("99.99999",), 1.0, 0.1),
)
