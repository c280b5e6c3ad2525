# SPDX-License-Identifier: Apache-2.0
"""Columns of forty kinds, twenty of them personal data and twenty that look like it; values are made up."""

import random
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import phonenumbers

from dictamesh.runtime.scan.formats.digits import ean, luhn, mod_11_10, verhoeff
from dictamesh.specs.pii import KindName

Draw = random.Random
Make = Callable[[Draw, int], Any]

TODAY = date(2026, 1, 1)
_GIVEN = """Ana Jonas Maria Pierre Lucía Marco Sanne Karin Piotr Emily Hiroshi Fatima Rahul Chidi Noah Olga Tomás
Elowen Tadhg Saoirse Oddny Zbyszek Quillon Maelys Thibaud Ngaire Anahera"""
_FAMILY = """Keller Dubois García Rossi Visser Lindström Kowalski Murphy Tanaka Haddad Sharma Okafor Nowak Silva
Ó-Dálaigh Featherstonehaugh Wojtyńska Etxeberria Hognason Tuatara Quenneville Brzeziński"""
_WORDS = """alpha bravo copper delta ember frost garnet helium indigo jumbo kiwi lumen maple nickel onyx plaza quartz
rivet saddle timber ultra velvet widget yellow zinc classic compact premium"""
GIVEN, FAMILY, WORDS = _GIVEN.split(), _FAMILY.split(), _WORDS.split()
"""Names and words; of each list of names some are in no list of the scanner."""
STREETS = (
    "Hauptstraße",
    "High Street",
    "rue Pasteur",
    "Calle Mayor",
    "Via Roma",
    "Kerkstraat",
    "Elm Avenue",
    "Lindenweg",
)


@dataclass(frozen=True)
class Kind:
    """One kind of column: how it may be called, how its values are made, and what personal data it is, if any."""

    title: str
    personal: KindName | None
    names: tuple[str, ...]
    make: Make

    def values(self, draw: Draw, count: int) -> list[Any]:
        return [None if draw.random() < 0.05 else self.make(draw, row) for row in range(count)]


def digits(draw: Draw, count: int) -> str:
    return "".join(draw.choice(string.digits) for _ in range(count))


def until(draw: Draw, make: Callable[[], str], good: Callable[[str], bool]) -> str:
    while not good(text := make()):
        pass
    return text


def checked(draw: Draw, prefix: str, length: int, good: Callable[[str], bool]) -> str:
    return until(draw, lambda: prefix + digits(draw, length - len(prefix)), good)


def day(draw: Draw, first: date, last: date) -> date:
    return first + timedelta(days=draw.randrange((last - first).days))


def moment(draw: Draw, first: date = date(2021, 1, 1), last: date = TODAY) -> datetime:
    return datetime.combine(day(draw, first, last), datetime.min.time(), UTC) + timedelta(seconds=draw.randrange(86400))


def name(draw: Draw) -> str:
    return f"{draw.choice(GIVEN)} {draw.choice(FAMILY)}"


def email(draw: Draw, row: int) -> str:
    host = draw.choice(["example.com", "example.org", "mail.example.net"])
    return f"{draw.choice(GIVEN).lower()}.{draw.choice(FAMILY).lower()}{row}@{host}".encode("ascii", "ignore").decode()


def phone(draw: Draw, row: int) -> str:
    region = draw.choice(["US", "GB", "DE", "FR", "NL"])
    sample = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    while True:
        body = str(sample.national_number)[:4] + digits(draw, len(str(sample.national_number)) - 4)
        number = phonenumbers.PhoneNumber(sample.country_code, int(body))
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def iban(draw: Draw, row: int) -> str:
    body = digits(draw, 18)
    check = 98 - int(body + "131400") % 97  # DE00
    return f"DE{check:02}{body}"


def steuer_id(draw: Draw, row: int) -> str:
    places = draw.sample(string.digits, 9)
    places.insert(draw.randrange(10), draw.choice(places))
    number = "".join(places)
    return steuer_id(draw, row) if number[0] == "0" else until(draw, lambda: number + digits(draw, 1), mod_11_10)


def dni(draw: Draw, row: int) -> str:
    number = draw.randrange(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def personnummer(draw: Draw, row: int) -> str:
    born = day(draw, date(1940, 1, 1), date(2007, 1, 1)).strftime("%y%m%d")
    number = until(draw, lambda: born + digits(draw, 4), luhn)
    return f"{number[:6]}-{number[6:]}"


def ssn(draw: Draw, row: int) -> str:
    return f"{draw.randrange(1, 665):03}-{draw.randrange(1, 99):02}-{draw.randrange(1, 9999):04}"


def nino(draw: Draw, row: int) -> str:
    return f"{draw.choice('ABCEHJLMPRSTWXY')}{draw.choice('ABCEHJLMPRSTWXYZ')}{digits(draw, 6)}{draw.choice('ABCD')}"


def nir(draw: Draw, row: int) -> str:
    born = f"{draw.randrange(40, 99)}{draw.randrange(1, 12):02}"
    number = f"{draw.choice('12')}{born}{draw.randrange(1, 95):02}{digits(draw, 6)}"
    return f"{number}{97 - int(number) % 97:02}"


def ip(draw: Draw, row: int) -> str:
    return ".".join(str(draw.randrange(1, 255)) for _ in range(4))


def address(draw: Draw, row: int) -> str:
    street, number = draw.choice(STREETS), draw.randrange(1, 200)
    return f"{number} {street}" if street in {"High Street", "Elm Avenue"} else f"{street} {number}"


def text_with_contact(draw: Draw, row: int) -> str:
    if draw.random() < 0.3:
        return f"Customer asked to be called back under {phone(draw, row)} after the delivery."
    if draw.random() < 0.3:
        return f"Please send the invoice to {email(draw, row)} as soon as it is ready."
    return "The parcel was left with a neighbour and the receipt is attached below."


def _hex(draw: Draw, count: int) -> str:
    return "".join(draw.choice("0123456789abcdef") for _ in range(count))


def _isbn(draw: Draw, row: int) -> str:
    return checked(draw, "978", 13, ean)


def prose(draw: Draw, row: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randrange(6, 14))).capitalize() + "."


PERSONAL = (
    Kind("e-mail address", "email", ("email", "kontakt_mail", "contactEmail"), email),
    Kind("phone number", "phone", ("phone", "telefonnummer", "mobile_no"), phone),
    Kind("full name", "name", ("full_name", "name", "customerName"), lambda d, r: name(d)),
    Kind("given name", "name", ("first_name", "vorname", "prenom"), lambda d, r: d.choice(GIVEN)),
    Kind("family name", "name", ("last_name", "nachname", "apellido"), lambda d, r: d.choice(FAMILY)),
    Kind("street and number", "address", ("street", "address_line1", "indirizzo"), address),
    Kind(
        "date of birth",
        "birthdate",
        ("birth_date", "dob", "fecha_nacimiento"),
        lambda d, r: day(d, date(1938, 1, 1), date(2007, 1, 1)),
    ),
    Kind("IBAN", "iban", ("iban", "bank_account", "kontonummer"), iban),
    Kind(
        "payment card",
        "card",
        ("card_number", "credit_card", "kreditkarte"),
        lambda d, r: checked(d, d.choice(["4", "51", "55"]), 16, luhn),
    ),
    Kind("US SSN", "national-id", ("ssn", "social_security_number", "tax_id"), ssn),
    Kind("German tax id", "national-id", ("steuer_id", "taxId", "tax_number"), steuer_id),
    Kind("Spanish DNI", "national-id", ("dni", "numero_identidad", "documento"), dni),
    Kind("Swedish personnummer", "national-id", ("personnummer", "personnr", "pnr"), personnummer),
    Kind("UK national insurance number", "national-id", ("nino", "ni_number", "national_insurance_no"), nino),
    Kind("French NIR", "national-id", ("nir", "numero_secu", "securite_sociale"), nir),
    Kind(
        "Aadhaar",
        "national-id",
        ("aadhaar", "aadhaar_number", "uid_no"),
        lambda d, r: checked(d, d.choice("23456789"), 12, verhoeff),
    ),
    Kind("IP address", "ip", ("ip", "client_ip", "remote_addr"), ip),
    Kind(
        "hardware address",
        "mac",
        ("mac", "mac_address", "wifi_mac"),
        lambda d, r: ":".join(_hex(d, 2) for _ in range(6)),
    ),
    Kind("postcode", "postcode", ("postcode", "zip", "plz"), lambda d, r: f"{d.randrange(1000, 99999):05}"),
    Kind("contacts within text", "email", ("notes", "comment", "body"), text_with_contact),
)
LOOKALIKES = (
    Kind("order number", None, ("order_no", "orderNumber", "ref"), lambda d, r: f"{d.randrange(10**9, 10**10)}"),
    Kind("counter", None, ("id", "row_no", "sequence"), lambda d, r: 4_000_000_000_000_000 + r),
    Kind(
        "stock keeping unit",
        None,
        ("sku", "article", "item_code"),
        lambda d, r: f"{d.choice(WORDS)[:3].upper()}-{digits(d, 4)}",
    ),
    Kind("UUID", None, ("uuid", "correlation_id", "phone_id"), lambda d, r: str(uuid.UUID(int=d.getrandbits(128)))),
    Kind("timestamp", None, ("created_at", "email_sent_at", "birthday_mail_sent"), lambda d, r: moment(d)),
    Kind("price", None, ("price", "amount", "card_fee"), lambda d, r: round(d.uniform(1, 500), 2)),
    Kind("hash", None, ("sha256", "checksum", "email_template_hash"), lambda d, r: _hex(d, 64)),
    Kind(
        "version number",
        None,
        ("version", "firmware", "app_version"),
        lambda d, r: f"{d.randrange(1, 9)}.{d.randrange(0, 20)}.{d.randrange(0, 40)}.{d.randrange(0, 99)}",
    ),
    Kind("ISBN", None, ("isbn", "book_code", "edition"), _isbn),
    Kind("EAN", None, ("ean", "gtin", "barcode"), lambda d, r: checked(d, d.choice(["40", "50", "76", "87"]), 13, ean)),
    Kind(
        "part number like a phone number",
        None,
        ("part_no", "phone_model_no", "spare_part"),
        lambda d, r: f"{digits(d, 3)}-{digits(d, 3)}-{digits(d, 4)}",
    ),
    Kind(
        "part number like an SSN",
        None,
        ("drawing_no", "component", "part"),
        lambda d, r: f"{digits(d, 3)}-{digits(d, 2)}-{digits(d, 4)}",
    ),
    Kind(
        "due date", None, ("due_on", "valid_until", "hired_on"), lambda d, r: day(d, date(2019, 1, 1), date(2028, 1, 1))
    ),
    Kind(
        "product name",
        None,
        ("name", "title", "product_name"),
        lambda d, r: f"{d.choice(WORDS).capitalize()} {d.choice(WORDS)}",
    ),
    Kind("file name", None, ("file_name", "attachment", "icon"), lambda d, r: f"{d.choice(WORDS)}@2x.png"),
    Kind(
        "serial number of a device (Luhn)",
        None,
        ("imei", "serial", "device_no"),
        lambda d, r: checked(d, "35", 15, luhn),
    ),
    Kind("quantity", None, ("quantity", "stock", "street_count"), lambda d, r: d.randrange(0, 1000)),
    Kind("colour code", None, ("colour", "hex", "label"), lambda d, r: f"#{_hex(d, 6)}"),
    Kind(
        "nine-digit account of a system", None, ("account_ref", "external_ref", "legacy_no"), lambda d, r: digits(d, 9)
    ),
    Kind("prose without persons", None, ("description", "summary", "terms"), prose),
)
KINDS: Mapping[str, Kind] = {kind.title: kind for kind in (*PERSONAL, *LOOKALIKES)}
