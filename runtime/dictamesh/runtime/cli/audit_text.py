# SPDX-License-Identifier: Apache-2.0
"""How `audit` tells of rows and findings."""

from collections.abc import Iterator

from dictamesh.runtime.audit.chain import Entry
from dictamesh.runtime.audit.findings import Finding, Report

_SHOWN = 20  # findings that the text names


def told(report: Report) -> Iterator[str]:
    """Yield the lines that tell of a verification."""
    counted = f"{report.rows} rows in {report.chains} chains, {report.heads} signed heads"
    if report.intact:
        yield f"intact: {counted}"
        if report.unsigned:
            yield f"        the last {report.unsigned} rows are not signed yet"
    else:
        yield f"NOT intact: {counted}, {len(report.findings)} findings"
        for finding in sorted(report.findings, key=lambda each: each.order)[:_SHOWN]:
            where = f"head {finding.head}" if finding.head is not None else _where(finding)
            yield f"  {where}: {finding.fault}: {finding.told}"
    yield from (f"note: {note}" for note in report.notes)


def _where(finding: Finding) -> str:
    until = f" to {finding.until}" if finding.until else ""
    known = f" ({finding.id})" if finding.id else ""
    return f"{finding.product} {finding.day} row {finding.sequence}{until}{known}"


def line(row: Entry) -> str:
    """Return a row of the log on one line."""
    read = f"read {','.join(row['fields'])}" if row["fields"] else ""
    denied = f"denied {','.join(row['denied_fields'])}" if row["denied_fields"] else ""
    times = f" x{row['occurrences']}" if row["occurrences"] > 1 else ""
    what = " ".join(each for each in (read, denied, row["error_code"] or "") if each)
    place = f"{row['product']}#{row['entity_type']}"
    who = row["principal"] or "anonymous"
    subjects = f"{row['subject_count']} subjects" if row["subject_count"] else ""
    return f"{row['occurred_at']} {who} {row['operation']}{times} {place} {what} {subjects}".rstrip()
