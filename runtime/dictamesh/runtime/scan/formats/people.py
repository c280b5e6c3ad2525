# SPDX-License-Identifier: Apache-2.0
"""Names of persons by small lists of given and family names; see `words/` for where these come from."""

import re
from functools import cache
from importlib.resources import files

from dictamesh.runtime.scan.formats.format import Format

_PARTS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_MOST = 6  # parts of a name
_GENDERS = (
    "m f d x w male female diverse divers other unknown man woman männlich weiblich mann frau herr mr mrs ms miss homme"
    " femme masculin féminin monsieur madame hombre mujer masculino femenino varón uomo donna maschio femmina maschile"
    " femminile vrouw mannelijk vrouwelijk nonbinary non-binary"
)


@cache
def word_list(name: str, section: str = "") -> frozenset[str]:
    """The words of a list of `words/`: of all its sections but `ambiguous`, or of one."""
    found: set[str] = set()
    title = ""
    for line in files("dictamesh.runtime.scan").joinpath("words", f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            title = line[2:]
        elif (title == section) if section else (title != "ambiguous"):
            entries = line.split(",") if "," in line else line.split()
            found.update(entry.strip() for entry in entries if entry.strip())
    return frozenset(found)


@cache
def _known() -> frozenset[str]:
    return word_list("given") | word_list("family")


@cache
def _ambiguous() -> frozenset[str]:
    return word_list("given", "ambiguous") | word_list("family", "ambiguous")


def person(text: str) -> bool:
    """One to six words without digits of which one is a known name of persons, or two are such that mean more."""
    value = text.strip()
    if not 2 <= len(value) <= 80 or any(letter.isdigit() for letter in value):
        return False
    parts = [part.rstrip(".").lower() for part in _PARTS.findall(value)]
    if not 1 <= len(parts) <= _MOST or "".join(_PARTS.sub("", value).split()).strip(",.'’-()") != "":
        return False
    parts = [piece for part in parts for piece in (part, *part.split("-"))]
    if any(part in _known() for part in parts):
        return True
    return len({part for part in parts if part in _ambiguous()}) >= 2


def gender(text: str) -> bool:
    """A word or letter for a gender or a form of address."""
    return text.strip().rstrip(".").lower() in _genders()


@cache
def _genders() -> frozenset[str]:
    return frozenset(_GENDERS.split())


PEOPLE = (
    Format("person-name", "name", person, ("Aaaaaa", "Aaaaa Aaaaaaa"), 0.02, 0.75, passes=0.7, least=0.4),
    Format("gender", "gender", gender, ("A",), 0.3, 0.4, least=0.95),
)
