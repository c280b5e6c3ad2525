# SPDX-License-Identifier: Apache-2.0
"""Checked formats: what is right passes, what is nearly right does not, and chance passes as often as is written."""

import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.scan.formats import FORMATS, LONGEST, Format
from dictamesh.runtime.scan.formats.digits import ean, luhn, mod_11_10, verhoeff

# Published specimens: of issuers, standards and their test data.
RIGHT = {
    "email": "ana@example.com|o'brien+tag@sub.example.co.uk|mailto:a.b@xn--bcher-kva.example",
    "phone-international": "+49 30 901820|+1 212-555-2368|0033 1 42 68 53 00|+44 (20) 7946 0018",
    "phone-national": "030 901820|(212) 736-5000|020 7946 0018",
    "iban": "DE89 3704 0044 0532 0130 00|GB29NWBK60161331926819|FR14 2004 1010 0505 0001 3M02 606|NL91ABNA0417164300",
    "card": "4111 1111 1111 1111|5555555555554444|378282246310005|6011111111111117|3530111333300000|2223003122003222",
    "ipv4": "192.168.2.1|8.8.4.100|203.0.113.7",
    "ipv6": "2001:db8::8a2e:370:7334|fe80::1ff:fe23:4567:890a",
    "mac": "00:1A:2B:3C:4D:5E|00-1a-2b-3c-4d-5e|001a.2b3c.4d5e",
    "uk-nino": "AA 12 34 56 C|JG103759A",
    "uk-nhs-number": "943 476 5919",
    "de-steuer-id": "86095742719|47036892816|65929970489",
    "fr-nir": "2 55 08 14 168 025 38|295109912611193|253072B07300470",
    "es-dni": "54362315K|12345678Z",
    "es-nie": "X-2482300-W|X1234567L|Z8327649K",
    "it-codice-fiscale": "RCCMNL83S18D969H|MRTMTT25D09F205Z",
    "nl-bsn": "111222333|123456782",
    "pl-pesel": "44051401458|02070803628",
    "se-personnummer": "811218-9876|19811218-9876|670919-9530",
    "fi-hetu": "131052-308T|010594Y9032",
    "dk-cpr": "211062-5629",
    "no-fodselsnummer": "15108695088",
    "be-national-number": "85.07.30-033.28|17.07.30-033.84",
    "pt-nif": "123456789|287024008",
    "ch-ahv": "756.9217.0769.85",
    "at-svnr": "1237 010180",
    "ie-pps": "6433435F|6433435OA",
    "ro-cnp": "1630615123457",
    "bg-egn": "752316 926 3|7523169263",
    "cz-rodne-cislo": "710319/2745",
    "hr-oib": "33392005961",
    "baltic-code": "36805280109|38703181745",
    "gr-amka": "01013099997",
    "us-ssn": "536-90-4399|856-45-6789",
    "ca-sin": "123-456-782|130692544",
    "in-aadhaar": "2341 2341 2346",
    "in-pan": "ACUPA7085R",
    "br-cpf": "390.533.447-05|11144477735",
    "cl-rut": "12.531.909-2|6265837-1",
    "mx-curp": "BOXW310820HNERXN09",
    "za-id": "7503305044089|8001015009087",
    "cn-resident-id": "11010519491231002X|360426199101010071",
    "kr-rrn": "971013-9019902",
    "tr-kimlik": "17291716060|10000000146",
    "jp-my-number": "123456789018",
    "au-tfn": "123 456 782",
    "postcode": "SW1A 1AA|K1A 0B1|1234 AB",
    "postcode-digits": "10115|94103-1234|00-950",
    "street-address": "Hauptstraße 12|12 High Street|Rue de la Paix 5|Via Roma 1/A|Kerkstraat 44",
    "coordinates": "52.5200, 13.4050|(-33.8688; 151.2093)",
    "degree": "52.52001",
    "person-name": "Anna Kowalski|García Márquez, Gabriel|Jean-Luc Dubois|Dr. Emily O'Brien",
    "gender": "m|Female|Frau",
}
WRONG = {
    "email": "ana@example|@example.com|a@b@c.com|icon@2x.png|a..b@example.com|ana example.com|.a@example.com",
    "phone-international": "+49 0|+12 34|030 901820|+999 999 9999999",
    "phone-national": "12|abc|2021-01-01",
    "iban": "DE89 3704 0044 0532 0130 01|DE8937040044053201300|XX89370400440532013000",
    "card": "4111111111111112|1234567812345670|4111 1111 1111",
    "ipv4": "1.2.3.4|256.1.1.1|10.0.0|127.0.0.1|01.2.3.99",
    "ipv6": "12:34|::|::1|fe80|12:34:56",
    "mac": "00:00:00:00:00:00|00:1A:2B:3C:4D|001A2B3C4D5E",
    "uk-nino": "BG123456A|AO123456A|AA123456E",
    "uk-nhs-number": "9434765918",
    "de-steuer-id": "86095742718|11111111111|06095742719",
    "fr-nir": "255081416802539|995081416802538",
    "es-dni": "54362315A",
    "es-nie": "A2482300W",
    "it-codice-fiscale": "RCCMNL83S18D969A",
    "nl-bsn": "111222334|000000000",
    "pl-pesel": "44051401459|44133101458",
    "se-personnummer": "811218-9875|811318-9876",
    "fi-hetu": "131052-308U|320152-308T",
    "dk-cpr": "321062-5629|2110625629",
    "no-fodselsnummer": "15108695089",
    "be-national-number": "85.07.30-033.29",
    "pt-nif": "123456788|500000000",
    "ch-ahv": "756.9217.0769.84|7569217076985x",
    "at-svnr": "1238 010180",
    "ie-pps": "6433435G",
    "ro-cnp": "1630615123458",
    "bg-egn": "7523169264",
    "cz-rodne-cislo": "710319/2746",
    "hr-oib": "33392005962",
    "baltic-code": "36805280108",
    "gr-amka": "01013099998",
    "us-ssn": "000-12-3456|666-12-3456|900-12-3456|123-00-4567|123-45-0000|078-05-1120",
    "ca-sin": "123-456-783|012345674",
    "in-aadhaar": "2341 2341 2347|0123 4567 8901",
    "in-pan": "ACUCA7085R",
    "br-cpf": "390.533.447-06|111.111.111-11",
    "cl-rut": "12.531.909-3",
    "mx-curp": "BOXW310820HNERXN08",
    "za-id": "7503305044088",
    "cn-resident-id": "110105194912310021",
    "kr-rrn": "971013-9019903",
    "tr-kimlik": "17291716061",
    "jp-my-number": "123456789019",
    "au-tfn": "123 456 783",
    "postcode": "10115|ABC",
    "postcode-digits": "SW1A 1AA|123",
    "street-address": "Hauptstraße|12|Widget 12|article 44",
    "coordinates": "99.52, 13.40|52.52",
    "degree": "52.52",
    "person-name": "Widget Classic|12 Anna|https://anna.example|Anna Anna Anna Anna Anna Anna Anna",
    "gender": "xl|yes",
}
BY_NAME: dict[str, list[Format]] = {}
for each in FORMATS:
    BY_NAME.setdefault(each.name, []).append(each)


def passes(name: str, text: str) -> bool:
    return any(each.check(text) for each in BY_NAME[name])


def test_every_format_is_tried() -> None:
    assert RIGHT.keys() == WRONG.keys() == BY_NAME.keys()


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, all_ in RIGHT.items() for text in all_.split("|")])
def test_what_is_right_passes(name: str, text: str) -> None:
    assert passes(name, text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, all_ in WRONG.items() for text in all_.split("|")])
def test_what_is_nearly_right_does_not(name: str, text: str) -> None:
    assert not passes(name, text)


def drawn(template: str, draw: random.Random) -> str:
    """A random value of a shape."""
    letters = {
        "9": string.digits,
        "A": string.ascii_uppercase,
        "a": string.ascii_lowercase,
        "X": string.digits + string.ascii_uppercase,
        "F": "0123456789ABCDEF",
    }
    return "".join(draw.choice(letters[each]) if each in letters else each for each in template)


COUNT = 20_000
SHAPES = [(each, shape) for each in FORMATS for shape in each.shapes]


@pytest.mark.parametrize(("found", "shape"), SHAPES, ids=[f"{each.name} {shape}" for each, shape in SHAPES])
def test_chance_passes_no_more_often_than_is_written(found: Format, shape: str) -> None:
    """The rate of random values stays within four standard deviations of what the row of the format says."""
    count = COUNT if found.kind != "phone" else 3_000
    draw = random.Random(f"{found.name} {shape}")
    rate = sum(found.check(drawn(shape, draw)) for _ in range(count)) / count
    assert rate <= found.base_rate + 4 * (found.base_rate * (1 - found.base_rate) / count) ** 0.5 + 1 / count


@given(st.text(max_size=LONGEST))
def test_any_text_is_judged(text: str) -> None:
    for found in FORMATS:
        assert found.check(text) in {True, False}


NEAR = st.text(alphabet=string.digits + "ABXZ .-/+()@:;,", min_size=1, max_size=40)


@given(NEAR)
def test_any_text_that_comes_near_is_judged(text: str) -> None:
    for found in FORMATS:
        assert found.check(text) in {True, False}


@pytest.mark.parametrize("scheme", [luhn, verhoeff, ean, mod_11_10])
@given(
    number=st.text(alphabet=string.digits, min_size=7, max_size=18), place=st.integers(0, 17), digit=st.integers(0, 9)
)
def test_one_wrong_digit_is_found(scheme: Callable[[str], bool], number: str, place: int, digit: int) -> None:
    """What the schemes promise: exactly one digit completes a number, and no single other digit passes instead."""
    complete = [number + last for last in string.digits if scheme(number + last)]
    assert len(complete) == 1
    right = complete[0]
    place %= len(right)
    wrong = right[:place] + str(digit) + right[place + 1 :]
    assert scheme(wrong) == (wrong == right)
