# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an audit log, and where."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at a row or, with `head`, at a signed statement.

    Of a row: `changed` (it is not what was hashed), `missing`, `inserted`, `replaced` (another one than that which its
    follower or a signed head knows), `unlinked` (it does not follow the row before), `rewritten` (rows from `sequence`
    through `until` are not those that were signed), `miscounted`. `id` is None for a row that is not there.
    """

    fault: str
    told: str
    product: str | None = None
    day: str | None = None
    sequence: int | None = None
    id: str | None = None
    until: int | None = None
    head: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON values, without what it has none of."""
        names = ("fault", "told", "product", "day", "sequence", "id", "until", "head")
        found = {name: getattr(self, name) for name in names}
        kept = ("fault", "told", *(("product", "day", "sequence", "id") if self.head is None else ()))
        return {name: value for name, value in found.items() if value is not None or name in kept}

    @property
    def order(self) -> tuple[bool, str, str, int]:
        """Rows before heads, by day, product and place."""
        return self.head is not None, self.day or "", self.product or "", self.sequence or self.head or 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found.

    `unsigned` counts rows behind the last signed head of their product: of those alone the last ones could be cut off
    unseen. `signed_at` is when the last head was signed. `notes` is what an auditor should know besides.
    """

    rows: int
    chains: int
    heads: int
    unsigned: int
    signed_at: str | None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """The first bad row, else the first bad head."""
        return min(self.findings, key=lambda finding: finding.order, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        first = self.first
        return {
            "intact": self.intact,
            "rows": self.rows,
            "chains": self.chains,
            "heads": self.heads,
            "unsigned": self.unsigned,
            "signedAt": self.signed_at,
            "first": first.as_json() if first is not None else None,
            "findings": [each.as_json() for each in sorted(self.findings, key=lambda each: each.order)],
            "notes": list(self.notes),
        }
