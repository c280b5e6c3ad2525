# SPDX-License-Identifier: Apache-2.0
"""National identification numbers of European countries, each with the rules that its issuer publishes."""

import re

from dictamesh.runtime.scan.formats.digits import (
    ddmmyy,
    digits,
    ean,
    luhn,
    mod_11_10,
    real_date,
    weighted,
    yymmdd,
)
from dictamesh.runtime.scan.formats.format import Format, compact

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_PPS = "WABCDEFGHIJKLMNOPQRSTUV"
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", re.ASCII)
_CODICE = re.compile(r"[A-Z]{6}[\dLMNP-V]{2}[ABCDEHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]", re.ASCII)
_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def uk_nino(text: str) -> bool:
    """National Insurance number: two letters, six digits, a letter A to D (HMRC NIM39110)."""
    return _NINO.fullmatch(compact(text, " -").upper()) is not None


def uk_nhs(text: str) -> bool:
    """NHS number: ten digits, modulus 11 (NHS Data Dictionary)."""
    number = compact(text, " -")
    return digits(number, 10) and weighted(number, range(10, 0, -1)) % 11 == 0 and number != "0" * 10


def de_steuer_id(text: str) -> bool:
    """Steuerliche Identifikationsnummer: of the first ten digits one stands twice or thrice, others once; MOD 11,10."""
    number = compact(text)
    if not digits(number, 11) or number[0] == "0":
        return False
    counts = sorted(number[:10].count(digit) for digit in set(number[:10]))
    return counts[-1] in {2, 3} and counts[:-1] == [1] * (len(counts) - 1) and mod_11_10(number)


def fr_nir(text: str) -> bool:
    """Numéro d'inscription au répertoire: sex, year, month, department, and 97 less the rest by 97 (INSEE)."""
    number = compact(text).upper()
    if len(number) != 15 or not number.isascii():
        return False
    plain = number[:13].replace("2A", "19").replace("2B", "18") if number[5:7] in {"2A", "2B"} else number[:13]
    if not (digits(plain, 13) and digits(number[13:], 2)) or number[0] not in "1234678":
        return False
    month = int(number[3:5])
    known = 1 <= month <= 12 or 20 <= month <= 42 or month >= 50
    return known and 97 - int(plain) % 97 == int(number[13:])


def es_dni(text: str) -> bool:
    """Documento nacional de identidad: eight digits and the letter of their rest by 23."""
    number = compact(text).upper()
    return len(number) == 9 and digits(number[:8], 8) and _DNI[int(number[:8]) % 23] == number[8]


def es_nie(text: str) -> bool:
    """Número de identidad de extranjero: X, Y or Z, seven digits and a letter as in the DNI."""
    number = compact(text).upper()
    return len(number) == 9 and number[0] in "XYZ" and es_dni(f"{'XYZ'.index(number[0])}{number[1:]}")


def it_codice_fiscale(text: str) -> bool:
    """Codice fiscale of a person, letters for digits where two would share one (DM 23/12/1976)."""
    number = compact(text).upper()
    if not _CODICE.fullmatch(number):
        return False
    total = 0
    for position, letter in enumerate(number[:15]):
        value = int(letter) if letter.isdigit() else ord(letter) - ord("A")
        total += _ODD[value] if position % 2 == 0 else value
    return chr(ord("A") + total % 26) == number[15]


def nl_bsn(text: str) -> bool:
    """Burgerservicenummer: nine digits that meet the eleven test."""
    number = compact(text)
    return digits(number, 9) and number != "0" * 9 and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def pl_pesel(text: str) -> bool:
    """PESEL: date of birth with the century in the month, and a weighted sum that ends in 0."""
    number = compact(text, " -")
    if not digits(number, 11):
        return False
    month = int(number[2:4])
    century = (1900, 2000, 2100, 2200, 1800)[month // 20]
    dated = real_date(century + int(number[:2]), month % 20, int(number[4:6]))
    return dated and weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def se_personnummer(text: str) -> bool:
    """Personnummer: a date of birth (day plus 60 in coordination numbers), three digits and Luhn's."""
    number = compact(text, "-+ ")
    if not digits(number, 10, 12):
        return False
    number = number[-10:]
    day = int(number[4:6])
    return real_date(2000 + int(number[:2]), int(number[2:4]), day - 60 if day > 60 else day) and luhn(number)


def fi_hetu(text: str) -> bool:
    """Henkilötunnus: date of birth, a sign of the century, three digits and a letter or digit by their rest by 31."""
    number = text.strip().upper()
    if not re.fullmatch(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", number, re.ASCII):
        return False
    return ddmmyy(number[:6]) and _HETU[int(number[:6] + number[7:10]) % 31] == number[10]


def dk_cpr(text: str) -> bool:
    """CPR number as it is written, `ddmmyy-nnnn`; its check digit went in 2007."""
    return re.fullmatch(r"\d{6}-\d{4}", text.strip(), re.ASCII) is not None and ddmmyy(text.strip()[:6])


def no_fodselsnummer(text: str) -> bool:
    """Fødselsnummer: date of birth (day plus 40 in D numbers), three digits and two of modulus 11."""
    number = compact(text)
    if not digits(number, 11):
        return False
    day = int(number[:2])
    dated = real_date(2000 + int(number[4:6]), int(number[2:4]), day - 40 if day > 40 else day)
    first = weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
    return dated and first and weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def be_national_number(text: str) -> bool:
    """Rijksregisternummer: date of birth, three digits, and 97 less the rest by 97, a 2 before it from 2000 on."""
    number = compact(text)
    if not digits(number, 11) or int(number[2:4]) % 20 > 12 or int(number[4:6]) > 31:
        return False
    return int(number[9:]) in {97 - int(number[:9]) % 97, 97 - int(f"2{number[:9]}") % 97}


def pt_nif(text: str) -> bool:
    """Número de identificação fiscal of a person (1, 2, 3 or 45 first), modulus 11."""
    number = compact(text)
    if not digits(number, 9) or not (number[0] in "123" or number.startswith("45")):
        return False
    rest = weighted(number[:8], range(9, 1, -1)) % 11
    return int(number[8]) == (0 if rest < 2 else 11 - rest)


def ch_ahv(text: str) -> bool:
    """AHV number: 756 and ten digits, with the check digit of an EAN-13."""
    number = compact(text)
    return digits(number, 13) and number.startswith("756") and ean(number)


def at_svnr(text: str) -> bool:
    """Sozialversicherungsnummer: three digits, one of modulus 11, a date of birth."""
    number = compact(text)
    if not digits(number, 10) or number[0] == "0":
        return False
    day, month = int(number[4:6]), int(number[6:8])
    dated = real_date(2000 + int(number[8:]), month, day) or (month in {13, 14, 15} and 1 <= day <= 31)
    return dated and weighted(number, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(number[3])


def ie_pps(text: str) -> bool:
    """PPS number: seven digits, a letter by modulus 23, and a second letter in newer ones."""
    number = text.strip().upper()
    if not re.fullmatch(r"\d{7}[A-W][A-IW]?", number, re.ASCII):
        return False
    second = _PPS.index(number[8]) if len(number) == 9 else 0
    return _PPS[(weighted(number[:7], range(8, 1, -1)) + 9 * second) % 23] == number[7]


def ro_cnp(text: str) -> bool:
    """Cod numeric personal: sex and century, date of birth, county, number, weighted sum by 11."""
    number = compact(text)
    if not digits(number, 13) or number[0] == "0" or not yymmdd(number[1:7]):
        return False
    rest = weighted(number[:12], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return int(number[12]) == (1 if rest == 10 else rest)


def bg_egn(text: str) -> bool:
    """Edinen grazhdanski nomer: date of birth with the century in the month, weighted sum by 11."""
    number = compact(text)
    if not digits(number, 10):
        return False
    month = int(number[2:4])
    if not real_date(2000 + int(number[:2]), month % 20, int(number[4:6])) or month > 52:
        return False
    return weighted(number[:9], (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(number[9])


def cz_rodne_cislo(text: str) -> bool:
    """Rodné číslo as it is written, `yymmdd/nnnn`: divisible by 11, month plus 50 for women."""
    if not re.fullmatch(r"\d{6}/\d{4}", text.strip(), re.ASCII):
        return False
    number = compact(text)
    month = int(number[2:4]) % 50
    dated = real_date(2000 + int(number[:2]), month - 20 if month > 20 else month, int(number[4:6]))
    return dated and (int(number) % 11 == 0 or (int(number[:9]) % 11 == 10 and number[9] == "0"))


def hr_oib(text: str) -> bool:
    """Osobni identifikacijski broj: eleven digits, MOD 11,10."""
    number = compact(text)
    return digits(number, 11) and mod_11_10(number)


def baltic_code(text: str) -> bool:
    """Isikukood and asmens kodas: sex and century, date of birth, number, weighted sum by 11."""
    number = compact(text)
    if not digits(number, 11) or number[0] not in "12345678" or not yymmdd(number[1:7]):
        return False
    rest = weighted(number[:10], (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(number[:10], (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return rest == int(number[10])


def gr_amka(text: str) -> bool:
    """AMKA: date of birth, four digits and Luhn's."""
    number = compact(text)
    return digits(number, 11) and ddmmyy(number[:6]) and luhn(number)


NINE, TEN, ELEVEN, THIRTEEN = "9" * 9, "9" * 10, "9" * 11, "9" * 13

EUROPEAN = (
    Format("uk-nino", "national-id", uk_nino, ("AA999999A",), 0.095, 0.8, words=("nino", "nationalinsurance")),
    Format("uk-nhs-number", "national-id", uk_nhs, (TEN,), 0.1, 0.3, words=("nhs", "nhsnumber")),
    Format("de-steuer-id", "national-id", de_steuer_id, (ELEVEN,), 0.006, 0.75, words=("steuerid", "taxid")),
    Format("fr-nir", "national-id", fr_nir, ("9" * 15,), 0.009, 0.95, words=("nir", "insee")),
    Format("es-dni", "national-id", es_dni, ("99999999A",), 0.045, 0.85, words=("dni",)),
    Format("es-nie", "national-id", es_nie, ("A9999999A",), 0.006, 0.9, words=("nie", "dni")),
    Format(
        "it-codice-fiscale",
        "national-id",
        it_codice_fiscale,
        ("AAAAAA99A99A999A",),
        0.03,
        0.97,
        words=("codicefiscale", "taxid"),
    ),
    Format("nl-bsn", "national-id", nl_bsn, (NINE,), 0.1, 0.6, words=("bsn",)),
    Format("pl-pesel", "national-id", pl_pesel, (ELEVEN,), 0.025, 0.85, words=("pesel",)),
    Format("se-personnummer", "national-id", se_personnummer, (TEN, "999999-9999"), 0.012, 0.85),
    Format("fi-hetu", "national-id", fi_hetu, ("999999-999X",), 0.003, 0.95, words=("hetu",)),
    Format("dk-cpr", "national-id", dk_cpr, ("999999-9999",), 0.045, 0.6, words=("cpr",)),
    Format("no-fodselsnummer", "national-id", no_fodselsnummer, (ELEVEN,), 0.003, 0.95),
    Format("be-national-number", "national-id", be_national_number, (ELEVEN,), 0.02, 0.85),
    Format("pt-nif", "national-id", pt_nif, (NINE,), 0.05, 0.6, words=("nif", "taxid")),
    Format("ch-ahv", "national-id", ch_ahv, (THIRTEEN, "999.9999.9999.99"), 0.001, 0.95, words=("ahv", "avs")),
    Format("at-svnr", "national-id", at_svnr, (TEN,), 0.012, 0.85, words=("svnr",)),
    Format("ie-pps", "national-id", ie_pps, ("9999999A",), 0.05, 0.75, words=("pps",)),
    Format("ro-cnp", "national-id", ro_cnp, (THIRTEEN,), 0.01, 0.9, words=("cnp",)),
    Format("bg-egn", "national-id", bg_egn, (TEN,), 0.02, 0.8, words=("egn",)),
    Format("cz-rodne-cislo", "national-id", cz_rodne_cislo, ("999999/9999",), 0.015, 0.9),
    Format("hr-oib", "national-id", hr_oib, (ELEVEN,), 0.11, 0.55, words=("oib",)),
    Format("baltic-code", "national-id", baltic_code, (ELEVEN,), 0.008, 0.85),
    Format("gr-amka", "national-id", gr_amka, (ELEVEN,), 0.008, 0.85, words=("amka",)),
)
