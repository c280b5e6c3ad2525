# SPDX-License-Identifier: Apache-2.0
"""The kinds of personal data that names and values are looked through for, and what is proposed for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

KindName: TypeAlias = Literal[
    "email",
    "phone",
    "name",
    "address",
    "postcode",
    "birthdate",
    "national-id",
    "passport",
    "driver-licence",
    "iban",
    "card",
    "ip",
    "mac",
    "coordinates",
    "gender",
    "username",
    "special-category",
]
Family: TypeAlias = Literal["direct", "indirect", "special"]


@dataclass(frozen=True, slots=True)
class PersonalKind:
    """One kind.

    `family`: whether it identifies by itself, only together with other data, or is of a special category (GDPR
    article 9). `tier` is the least that is proposed. `tags` are last words of a tag that means this kind, best first.
    """

    name: KindName
    title: str
    family: Family
    tier: str
    tags: tuple[str, ...]


def _kind(name: KindName, title: str, family: Family, tier: str, tags: str) -> PersonalKind:
    return PersonalKind(name, title, family, tier, tuple(tags.split()))


_ROWS = (
    _kind("email", "an e-mail address", "direct", "restricted", "email mail emailaddress contact"),
    _kind("phone", "a phone number", "direct", "restricted", "phone telephone phonenumber mobile contact"),
    _kind("name", "the name of a person", "direct", "confidential", "name fullname personname firstname lastname"),
    _kind("address", "a postal address", "direct", "confidential", "address postaladdress streetaddress street"),
    _kind("postcode", "a postcode", "indirect", "confidential", "postcode postalcode zip zipcode address location"),
    _kind("birthdate", "a date of birth", "indirect", "confidential", "birthdate dateofbirth dob birthday birth"),
    _kind(
        "national-id",
        "a national identification number",
        "direct",
        "restricted",
        "nationalid ssn socialsecurity taxid governmentid identitynumber idnumber identifier",
    ),
    _kind("passport", "a passport number", "direct", "restricted", "passport passportnumber traveldocument document"),
    _kind(
        "driver-licence",
        "the number of a driving licence",
        "direct",
        "restricted",
        "driverlicence driverlicense drivinglicence licence license document",
    ),
    _kind("iban", "a bank account", "direct", "restricted", "iban bankaccount account bank payment"),
    _kind("card", "the number of a payment card", "direct", "restricted", "card creditcard paymentcard pan payment"),
    _kind("ip", "an IP address", "indirect", "confidential", "ip ipaddress network online device"),
    _kind("mac", "the address of a device", "indirect", "confidential", "mac macaddress device network online"),
    _kind("coordinates", "a place on the map", "indirect", "confidential", "coordinates geo geolocation gps location"),
    _kind("gender", "a gender", "indirect", "confidential", "gender sex"),
    _kind("username", "a user name", "direct", "confidential", "username login user handle account"),
    _kind(
        "special-category",
        "data of a special category",
        "special",
        "restricted",
        "specialcategory special sensitive health religion ethnicity",
    ),
)

KINDS: Mapping[KindName, PersonalKind] = MappingProxyType({row.name: row for row in _ROWS})

if set(KINDS) != set(get_args(KindName)):  # the two lists stand side by side: JSON Schema needs the literal one
    raise RuntimeError("a kind of personal data without its row, or the reverse")
