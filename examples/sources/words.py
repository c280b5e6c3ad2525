# SPDX-License-Identifier: Apache-2.0
"""The words of which the example's records are made.

The people are invented. Telephone numbers lie in the ranges that the regulators keep free for fiction.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """Where a customer lives; `phone` takes a number of `digits` digits, `places` are (city, postcode)."""

    code: str
    phone: str
    digits: int
    first_names: list[str]
    last_names: list[str]
    streets: list[str]
    places: list[tuple[str, str]]


def _country(code: str, phone: str, digits: int, first: str, last: str, streets: str, places: str) -> Country:
    pairs = [(place.rsplit(" ", 1)[0], place.rsplit(" ", 1)[1].replace("_", " ")) for place in places.split(", ")]
    return Country(code, phone, digits, first.split(), last.split(), streets.split(", "), pairs)


GERMANY = _country(
    *("DE", "+49 30 23125{}", 3),
    "Anna Ben Clara David Emma Felix Greta Hannes Ida Jürgen Katrin Lukas Marie Niklas Ole Paula Rieke Stefan Thea Uwe",
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Groß",
    "Hauptstraße, Gartenweg, Bahnhofstraße, Lindenallee, Am Markt",
    "Berlin 10115, Hamburg 20095, München 80331, Köln 50667, Leipzig 04109, Dresden 01067, Bremen 28195",
)
FRANCE = _country(
    *("FR", "+33 1 9900{}", 4),
    "Adèle Baptiste Camille Denis Élise François Gaëlle Hugo Inès Jules Léa Mathis Noémie Olivier Pauline Rémi Zoé",
    "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefèvre Roux Fournier",
    "rue de la Paix, avenue Foch, place du Marché, rue Pasteur, chemin Vert",
    "Paris 75001, Lyon 69001, Marseille 13001, Toulouse 31000, Nantes 44000, Lille 59000",
)
BRITAIN = _country(
    *("GB", "+44 20 7946 0{}", 3),
    "Alice Barnaby Charlotte Duncan Eleanor Freddie Grace Harry Isla Jack Katie Liam Megan Nathan Olivia Poppy Rhys",
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Wright Walker Evans Thompson Hughes O'Brien",
    "High Street, Station Road, Church Lane, Mill Road, Victoria Avenue",
    "London EC1A_1BB, Leeds LS1_1UR, Bristol BS1_4DJ, Cardiff CF10_1EP, Glasgow G1_1XQ",
)
SWEDEN = _country(
    *("SE", "+46 8 465 004{}", 2),
    "Agnes Björn Cecilia Dag Ebba Filip Gunilla Håkan Ingrid Jonas Karin Linnea Måns Nils Sofia Åsa",
    "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Lindström Öberg",
    "Storgatan, Kungsgatan, Skolgatan, Björkvägen",
    "Stockholm 111_22, Göteborg 411_03, Malmö 211_22, Uppsala 753_10",
)
STATES = _country(
    *("US", "+1 202 555 01{}", 2),
    "Amy Brandon Carmen Derek Emily Frank Grace Henry Isabel Jordan Kayla Logan Maya Noah Quinn Rosa Tyler",
    "Anderson Garcia Miller Davis Rodriguez Martinez Lopez Lee Clark Lewis Robinson Young King Nguyen Scott",
    "Main Street, Oak Avenue, Maple Drive, 2nd Street, Lakeview Road",
    "Boston 02108, Chicago 60601, Denver 80202, Seattle 98101, Austin 78701",
)
# Eight of twenty customers are German, four French, and so on.
COUNTRIES = [GERMANY] * 8 + [FRANCE] * 4 + [BRITAIN] * 3 + [STATES] * 3 + [SWEDEN] * 2
TAGS = ["vip", "wholesale", "trade-fair", "late-payer", "referred"]

STYLES = [
    *("Steel", "Brass", "Oak", "Copper", "Bamboo", "Compact", "Classic", "Folding"),
    *("Mini", "Pro", "Slim", "Twin", "Travel", "Eco", "Sturdy"),
]
# Things, their category, the cheapest price in euros.
RANGES = [
    (["Hammer", "Wrench", "Clamp", "Chisel"], "tools", 14),
    (["Stapler", "Binder", "Notebook", "Organiser"], "office", 4),
    (["Kettle", "Bowl", "Knife", "Pan"], "kitchen", 11),
    (["Rake", "Trowel", "Planter", "Lantern"], "garden", 9),
    (["Bracket", "Hinge", "Hook", "Latch"], "hardware", 2),
]
PROVIDERS = [f"s-{n:02}" for n in range(1, 13)]
