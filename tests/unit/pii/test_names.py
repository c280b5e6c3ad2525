# SPDX-License-Identifier: Apache-2.0
"""Names of columns: what they tell in several languages and spellings, and what they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.specs.pii import KINDS, Names, Strength, TagChoice, hints, joined, new_tag, of_people, strong_hint, words

TOLD = {
    "email": "email e_mail emailAddress E-Mail customerEmail user_emails courriel correo_electronico posta-elettronica"
    " emailadres kundenemail EMAIL_ADDR",
    "phone": "phone homePhone PHONE_NUMBER mobile telefonnummer Telefon kundentelefon numero_de_telephone telefono"
    " cellulare telefoonnummer msisdn telnr",
    "name": "first_name lastName SURNAME fullName vorname Nachname prénom nom_de_famille apellido1 cognome achternaam"
    " maiden_name cardholder",
    "address": "street streetName billing_address_line1 hausnummer Straße rue calle indirizzo_postale straatnaam"
    " deliveryAddress",
    "birthdate": "birth_date dob dateOfBirth BIRTHDAY geburtsdatum date_de_naissance fecha_nacimiento dataDiNascita"
    " geboortedatum",
    "national-id": "ssn social_security_number nationalInsuranceNumber steuer_id numero_securite_sociale dni"
    " codiceFiscale bsn pesel personnummer tax_id aadhaar cpf",
    "passport": "passport passportNo reisepassnummer passeport pasaporte paspoortnummer",
    "driver-licence": "drivers_license driverLicenceNumber fuehrerschein Führerschein permisDeConduire rijbewijs",
    "iban": "iban IBANNumber bank_account kontonummer numero_de_compte cuenta_bancaria rekeningnummer",
    "card": "credit_card cardNumber cvv kreditkartennummer carte_bancaire tarjetaDeCredito",
    "special-category": "religion ethnicity blood_type sexualOrientation tradeUnion gewerkschaft",
}
SILENT = """
id number total status quantity createdAt sku price inventory provider currency category region parentId version
email_template_id emailTemplate email_count emailSentAt email_opt_in hasEmail isPhoneVerified phone_model phoneType
mobile_app_version mobileFriendly card_type cardFee passport_required street_count streetLight headphones microphone
smartphone_os automobile gramophone file_name hostName product_name namespace rename surnamed_flag iban_valid
address_type ip_rating phone_id emailDomain street_view_url phishing telephony_plan
"""


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, text in TOLD.items() for name in text.split()])
def test_told_by_name(kind: str, name: str) -> None:
    found = strong_hint(name)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("name", SILENT.split())
def test_names_that_tell_nothing(name: str) -> None:
    assert strong_hint(name) is None


def test_a_path_is_told_by_its_last_part() -> None:
    assert strong_hint("email.id") is None
    assert strong_hint("person.email") is not None


def test_negation_is_kept_for_those_who_have_values() -> None:
    found = hints("email_template_id")
    assert (found[0].kind, found[0].strength, found[0].negative) == ("email", Strength.STRONG, True)


def test_people_by_the_name_of_an_entity() -> None:
    assert of_people("Customer")
    assert of_people("app_users")
    assert of_people("Mitarbeiter")
    assert not of_people("Product")
    assert not of_people("invoice_items")


@given(st.text(max_size=60))
def test_any_name_is_read(name: str) -> None:
    assert words(joined(name)) is not None
    assert hints(name) == hints(name)


@given(st.lists(st.sampled_from(["first", "name", "email", "total", "phone", "no", "x9"]), min_size=1, max_size=4))
def test_spelling_makes_no_difference(parts: list[str]) -> None:
    snake = "_".join(parts)
    camel = parts[0] + "".join(part.capitalize() for part in parts[1:])
    assert hints(snake) == hints(camel) == hints(snake.upper()) == hints("-".join(parts))


def test_names_of_the_taxonomy() -> None:
    own = Names({"clinic": ["case no", "patient"], "money": ["fee"]})
    assert own.tag("last_case_no") == "clinic"
    assert own.tag("caseNo") == "clinic"
    assert own.tag("CASE-NO-2") == "clinic"
    assert own.tag("patientFee") == "clinic"
    assert own.tag("fee") == "money"
    assert own.tag("case") is None
    assert not Names({})


@pytest.mark.parametrize(
    ("tags", "kind", "tag"),
    [
        ("pii.direct.email pii.direct", "email", "pii.direct.email"),
        ("pii.direct pii.direct.e-mail", "email", "pii.direct.e-mail"),
        ("pii.direct pii.indirect", "postcode", "pii.indirect"),
        ("pii.direct pii.indirect pii.direct.address", "address", "pii.direct.address"),
        ("contact.mail person", "email", "contact.mail"),
        ("privat.direct.kunde privat", "iban", "privat"),
        ("person", "special-category", "person"),
        ("pii pii.sensitive", "special-category", "pii.sensitive"),
        ("pii pii.ssn", "national-id", "pii.ssn"),
    ],
)
def test_the_closest_tag(tags: str, kind: str, tag: str) -> None:
    assert TagChoice(frozenset(tags.split())).tag(kind) == tag  # type: ignore[arg-type]  # one of the kinds


def test_a_tag_that_says_what_it_detects_comes_first() -> None:
    choice = TagChoice(frozenset({"a.email", "b"}), {"email": "b"})
    assert choice.tag("email") == "b"
    assert choice.tag("national-id", ["ssn"]) == "b"
    assert TagChoice(frozenset({"a.ssn", "a.bsn"})).tag("national-id", ["bsn"]) == "a.bsn"


def test_without_a_personal_tag_there_is_none() -> None:
    assert TagChoice().tag("email") is None
    assert {new_tag(kind) for kind in KINDS} >= {"pii.direct.email", "pii.indirect.birthdate"}
