# SPDX-License-Identifier: Apache-2.0
"""Fields that go out encrypted: under whose key (GV-12)."""

from collections.abc import Iterator, Mapping

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.resolved import Field, ResolvedEntity


def check_sealed(entities: Mapping[str, ResolvedEntity], findings: Findings) -> None:
    """Record every output port that encrypts fields of an entity which holds the id of no data subject."""
    for entity in entities.values():
        name = entity.model.name
        port = entity.product.output.get(name)
        if port is None or port.payload == "none" or not port.encrypt or _has_subject(entity):
            continue
        sealed = [each.name for each in entity.fields.values() if _encrypted(each, port.encrypt)]
        if sealed:
            site = entity.product_site / "output" / name / "encrypt"
            message = f"'{sealed[0]}' is to be encrypted, and no field of {name} holds the id of a data subject"
            hint = f"Declare whose key it is: subjects: {{customer: {name}.FIELD}}, or take it out of 'encrypt'."
            findings.error("DM150", site, message, hint)


def _has_subject(entity: ResolvedEntity) -> bool:
    prefix = f"{entity.model.name}."
    return any(text.startswith(prefix) for texts in entity.product.subjects.values() for text in texts)


def _encrypted(field: Field, encrypt: tuple[str, ...]) -> bool:
    """Whether a field or a part of it has a tier or a tag of `encrypt`; a tag covers its children."""
    below = tuple(f"{tag}." for tag in encrypt)
    return any(
        leaf.tier in encrypt or any(tag in encrypt or tag.startswith(below) for tag in leaf.tags)
        for leaf in _leaves(field)
    )


def _leaves(field: Field) -> Iterator[Field]:
    if not field.members:
        yield field
    for member in field.members:
        yield from _leaves(member)
