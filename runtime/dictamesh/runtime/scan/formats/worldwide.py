# SPDX-License-Identifier: Apache-2.0
"""National identification numbers outside Europe."""

import re

from dictamesh.runtime.scan.formats.digits import digits, luhn, real_date, verhoeff, weighted, yymmdd
from dictamesh.runtime.scan.formats.format import Format, compact

_SSN = re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}", re.ASCII)
_KNOWN_SSN = frozenset({"078-05-1120", "219-09-9999", "123-45-6789"})  # printed in advertisements and examples
_PAN = re.compile(r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", re.ASCII)
_CURP = re.compile(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", re.ASCII)
_CURP_VALUES = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"


def us_ssn(text: str) -> bool:
    """Social security number as it is written: area not 000, 666 or 9xx, group not 00, serial not 0000 (SSA)."""
    number = text.strip().replace(" ", "-")
    return _SSN.fullmatch(number) is not None and number not in _KNOWN_SSN


def us_ssn_digits(text: str) -> bool:
    """The same without dashes."""
    number = text.strip()
    return digits(number, 9) and us_ssn(f"{number[:3]}-{number[3:5]}-{number[5:]}")


def ca_sin(text: str) -> bool:
    """Social insurance number: nine digits, not 0 or 8 first, Luhn."""
    number = compact(text, " -")
    return digits(number, 9) and number[0] not in "08" and luhn(number)


def in_aadhaar(text: str) -> bool:
    """Aadhaar: twelve digits, the first 2 to 9, Verhoeff (UIDAI)."""
    number = compact(text, " -")
    return digits(number, 12) and number[0] > "1" and verhoeff(number)


def in_pan(text: str) -> bool:
    """Permanent account number of a person: five letters, the fourth a P, four digits, a letter."""
    return _PAN.fullmatch(text.strip().upper()) is not None


def br_cpf(text: str) -> bool:
    """Cadastro de pessoas físicas: nine digits and two of modulus 11."""
    number = compact(text)
    if not digits(number, 11) or len(set(number)) == 1:
        return False
    first = weighted(number[:9], range(10, 1, -1)) * 10 % 11 % 10
    return first == int(number[9]) and weighted(number[:10], range(11, 1, -1)) * 10 % 11 % 10 == int(number[10])


def cl_rut(text: str) -> bool:
    """Rol único tributario as it is written: seven or eight digits, a dash, a digit or K of modulus 11."""
    number = compact(text, ". ").upper()
    if not re.fullmatch(r"\d{7,8}-[\dK]", number, re.ASCII):
        return False
    rest = 11 - weighted(number[-3::-1], (2, 3, 4, 5, 6, 7, 2, 3)) % 11
    return number[-1] == {11: "0", 10: "K"}.get(rest, str(rest))


def mx_curp(text: str) -> bool:
    """Clave única de registro de población: letters, date of birth, sex, state, and a check digit."""
    number = text.strip().upper()
    if not _CURP.fullmatch(number) or not yymmdd(number[4:10]):
        return False
    total = sum(weight * _CURP_VALUES.index(letter) for weight, letter in zip(range(18, 1, -1), number, strict=False))
    return (10 - total % 10) % 10 == int(number[17])


def za_id(text: str) -> bool:
    """South African identity number: date of birth, four digits, citizenship 0 to 2, Luhn."""
    number = compact(text, " ")
    return digits(number, 13) and yymmdd(number[:6]) and number[10] in "012" and luhn(number)


def cn_resident_id(text: str) -> bool:
    """Resident identity number (GB 11643): division, date of birth, number, MOD 11-2."""
    number = text.strip().upper()
    if len(number) != 18 or not digits(number[:17], 17):
        return False
    if not real_date(int(number[6:10]) or 1, int(number[10:12]), int(number[12:14])) or number[6:8] not in {
        "18",
        "19",
        "20",
    }:
        return False
    rest = weighted(number[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return "10X98765432"[rest] == number[17]


def kr_rrn(text: str) -> bool:
    """Resident registration number as it is written: date of birth, a dash, seven digits of which the last checks."""
    if not re.fullmatch(r"\d{6}-\d{7}", text.strip(), re.ASCII):
        return False
    number = compact(text)
    check = (11 - weighted(number[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return yymmdd(number[:6]) and check == int(number[12])


def tr_kimlik(text: str) -> bool:
    """Türkiye Cumhuriyeti kimlik numarası: eleven digits, two of them check the others."""
    number = text.strip()
    if not digits(number, 11) or number[0] == "0":
        return False
    odd, even = weighted(number[:9:2], (1,) * 5), weighted(number[1:8:2], (1,) * 4)
    return (7 * odd - even) % 10 == int(number[9]) and weighted(number[:10], (1,) * 10) % 10 == int(number[10])


def jp_my_number(text: str) -> bool:
    """Individual number: twelve digits, modulus 11."""
    number = compact(text, " -")
    if not digits(number, 12):
        return False
    rest = weighted(number[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return int(number[11]) == (0 if rest < 2 else 11 - rest)


def au_tfn(text: str) -> bool:
    """Tax file number: nine digits, weighted sum by 11."""
    number = compact(text, " -")
    return digits(number, 9) and weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


WORLDWIDE = (
    Format("us-ssn", "national-id", us_ssn, ("999-99-9999",), 0.9, 0.6, passes=0.995, words=("ssn", "socialsecurity")),
    Format("us-ssn", "national-id", us_ssn_digits, ("9" * 9,), 0.9, 0.1, words=("ssn", "socialsecurity")),
    Format("ca-sin", "national-id", ca_sin, ("9" * 9, "999-999-999"), 0.085, 0.3, words=("sin",)),
    Format("in-aadhaar", "national-id", in_aadhaar, ("9" * 12, "9999 9999 9999"), 0.09, 0.6, words=("aadhaar",)),
    Format("in-pan", "national-id", in_pan, ("AAAAA9999A",), 0.045, 0.8, words=("pan", "taxid")),
    Format("br-cpf", "national-id", br_cpf, ("9" * 11, "999.999.999-99"), 0.012, 0.9, words=("cpf", "taxid")),
    Format("cl-rut", "national-id", cl_rut, ("99999999-9",), 0.1, 0.75, words=("rut",)),
    Format("mx-curp", "national-id", mx_curp, ("AAAA999999HAAAAA99",), 0.006, 0.97, words=("curp",)),
    Format("za-id", "national-id", za_id, ("9" * 13,), 0.003, 0.9),
    Format("cn-resident-id", "national-id", cn_resident_id, ("9" * 18,), 0.002, 0.95),
    Format("kr-rrn", "national-id", kr_rrn, ("999999-9999999",), 0.006, 0.95),
    Format("tr-kimlik", "national-id", tr_kimlik, ("9" * 11,), 0.012, 0.85),
    Format("jp-my-number", "national-id", jp_my_number, ("9" * 12,), 0.11, 0.55),
    Format("au-tfn", "national-id", au_tfn, ("9" * 9,), 0.1, 0.3, words=("tfn", "taxid")),
)
