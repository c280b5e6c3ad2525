# SPDX-License-Identifier: Apache-2.0
"""Search texts as people type them, and documents as words (MC-20)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dictamesh.runtime.catalog.search.documents import documents, spoken
from dictamesh.runtime.catalog.search.query import LONGEST_QUERY, MOST_TERMS, read
from dictamesh.specs.documents import Folder
from tests.integration.execution.harness import compiled


def shown(text: str) -> str:
    """A query in one line: words of a term joined by `+`, phrases quoted, groups apart."""
    return " | ".join(
        " ".join(
            ("-" if term.without else "") + (f'"{" ".join(term.words)}"' if term.phrase else "+".join(term.words))
            for term in group
        )
        for group in read(text).groups
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("customer email", "customer email"),
        ("Customer#email", "customer+email"),
        ("pii.direct.email", "pii+direct+email"),
        ('"date of birth" -test', '"date of birth" -test'),
        ('-"of birth" x', '-"of birth" x'),
        ("invoice OR bill or note", "invoice | bill | note"),
        ("or invoice or", "invoice"),
        ("a|b", "a+b"),
        ("a | b", "a | b"),
        ('unfinished "phrase', 'unfinished "phrase"'),
        ("größe Straße", "größe straße"),
        ("", ""),
        ("!!! & () : * \\ ' <->", ""),
        ("a & b:* !c <-> 'd'", "a b c d"),
        ("--", ""),
        ('""', ""),
    ],
)
def test_a_text_and_its_meaning(text: str, meaning: str) -> None:
    assert shown(text) == meaning


@given(st.text(max_size=2 * LONGEST_QUERY))
def test_every_text_has_a_meaning_within_bounds(text: str) -> None:
    query = read(text)
    terms = [term for group in query.groups for term in group]
    assert len(terms) <= MOST_TERMS
    assert all(group for group in query.groups)
    assert all(word and word.isalnum() for term in terms for word in term.words)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("createdAt",), "createdAt created At"),
        (("HTTPServer",), "HTTPServer HTTP Server"),
        (("pii.direct.email", "date_created"), "pii direct email date created"),
        (("Größe", "a-b"), "Größe a b"),
        (("", "..."), ""),
    ],
)
def test_names_as_words(names: tuple[str, ...], words: str) -> None:
    assert spoken(*names) == words


def test_documents_of_the_example() -> None:
    plan = compiled(Folder(Path(__file__).parents[3] / "examples"))
    found = {(each.kind, each.address): each for each in documents(plan)}
    assert len(found) == len(documents(plan))
    invoices = found["product", "invoices"]
    assert (invoices.entity_types, invoices.classification, invoices.pii) == (("Invoice", "InvoiceItem"), None, None)
    assert "item" not in f"{invoices.words} {invoices.near_words}", "an entity may be hidden and its product not"
    customer = found["entity", "customers#Customer"]
    assert (customer.classification, customer.pii) == ("restricted", True)
    assert {"pii", "pii.direct", "pii.direct.email"} <= set(customer.tags)
    city = found["field", "customers#Customer.address.city"]
    assert (city.name, city.tags, city.owner) == ("city", ("pii", "pii.direct", "pii.direct.address"), "ana")
    relation = found["relation", "invoices#Invoice.customer"]
    assert (relation.entity_types, relation.words) == (("Invoice", "Customer"), "customer invoices")
    assert ("relation", "customers#Customer.invoices") not in found, "a relation stands once"
