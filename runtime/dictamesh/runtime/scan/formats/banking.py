# SPDX-License-Identifier: Apache-2.0
"""Bank accounts and payment cards."""

import re

from dictamesh.runtime.scan.formats.digits import digits, luhn
from dictamesh.runtime.scan.formats.format import Format, compact

# ISO 13616 registry: length of an IBAN by country.
_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,29}", re.ASCII)
# ISO/IEC 7812: issuer ranges of Visa, Mastercard, American Express, Discover, Diners Club, JCB, UnionPay, Maestro.
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12,15}"
    r"|3(?:0[0-5]|[68]\d)\d{11,16}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|62\d{14,17}"
    r"|(?:50[0-9]{2}|5[6-8][0-9]{2}|6304|67[0-9]{2})\d{8,15}",
    re.ASCII,
)


def iban(text: str) -> bool:
    """ISO 13616: a country, its length, and the number moved round is 1 by modulus 97."""
    number = compact(text, " -").upper()
    if not _IBAN.fullmatch(number) or _LENGTHS.get(number[:2]) != len(number):
        return False
    moved = number[4:] + number[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def card(text: str) -> bool:
    """A card number of 13 to 19 digits in the range of an issuer, Luhn."""
    number = compact(text, " -")
    return digits(number, *range(13, 20)) and _CARD.fullmatch(number) is not None and luhn(number)


BANKING = (
    Format("iban", "iban", iban, ("DE99999999999999999999", "FR9999999999999999999999999"), 0.015, 0.97),
    Format("card", "card", card, ("9" * 16, "9999 9999 9999 9999", "9" * 15), 0.035, 0.85),
)
