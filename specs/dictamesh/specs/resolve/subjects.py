# SPDX-License-Identifier: Apache-2.0
"""Data subjects: which fields hold the ids of whom (GV-12)."""

from collections.abc import Iterable, Mapping

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Product
from dictamesh.specs.model.parts import SLUG
from dictamesh.specs.resolved import Declared, Field, ResolvedEntity
from dictamesh.specs.suggest import suggest


def check_subjects(
    products: Iterable[Declared[Product]], entities: Mapping[str, ResolvedEntity], findings: Findings
) -> None:
    """Record every entry under `subjects` that names no scalar field, and kinds whose ids are of two types."""
    first: dict[str, Field] = {}
    for product in products:
        for kind, texts in product.model.subjects.items():
            site = product.site / "subjects" / kind
            if not SLUG.match(kind):
                findings.error("DM243", site.key_span, f"'{kind}' is no name for a kind of data subject")
            for index, text in enumerate(texts):
                at = site / index if (site / index).exists else site
                field = _field(product, text, entities, at, findings)
                if field is not None:
                    _check_type(kind, field, first, at, findings)


def _field(
    product: Declared[Product], text: str, entities: Mapping[str, ResolvedEntity], at: Site, findings: Findings
) -> Field | None:
    name, _, rest = text.partition(".")
    entity = entities.get(f"{product.model.name}#{name}")
    field = entity.fields.get(rest) if entity is not None else None
    if field is None:
        own = [each for each in entities.values() if each.product is product.model]
        near = suggest(text, [f"{each.model.name}.{field}" for each in own for field in each.fields])
        hint = f"did you mean '{near}'?" if near else None
        findings.error("DM240", at, f"this product has no field '{text}'", hint)
    elif not field.type.scalar:
        findings.error("DM241", at, f"'{text}' holds no single value")
        return None
    return field


def _check_type(kind: str, field: Field, first: dict[str, Field], at: Site, findings: Findings) -> None:
    earlier = first.setdefault(kind, field)
    if earlier.model.logical_type != field.model.logical_type:
        message = (
            f"{field.address} is {field.model.logical_type}, and {earlier.address}, which holds the ids of '{kind}'"
            f" too, is {earlier.model.logical_type}"
        )
        findings.error("DM242", at, message)
