# SPDX-License-Identifier: Apache-2.0
"""What the taxonomy may get wrong: the order of tiers, names of tags, and what is personal (S6, S15)."""

import re

from dictamesh.specs.diagnostics import Findings
from dictamesh.specs.documents import Site
from dictamesh.specs.model import Taxonomy
from dictamesh.specs.model.taxonomy import TIERS
from dictamesh.specs.pii import PatternProblem, compile_pattern, joined, too_wide
from dictamesh.specs.resolve.regimes import check_tag_regimes
from dictamesh.specs.resolve.sensitivity import covers
from dictamesh.specs.resolved import Declared

TAG = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z")


def check_taxonomy(taxonomy: Declared[Taxonomy], findings: Findings) -> None:
    """Record tiers out of order, malformed or repeated tags, and tags that deny what their parent says."""
    model, site = taxonomy.model, taxonomy.site
    if model.tiers != TIERS:
        message = "the tiers of a mesh are these four, rising"
        findings.error("DM104", site / "tiers", message, f"Write [{', '.join(TIERS)}], or leave 'tiers' out.")
    declared: dict[str, str] = {}
    for name, tag in model.tags.items():
        place = site / "tags" / name
        if not TAG.match(name):
            findings.error("DM104", place.key_span, f"'{name}' is no name for a tag", "Write words with dots between.")
        declared[name] = name
        for index, child in enumerate(tag.children):
            if not TAG.match(child):
                at = place / "children" / index
                findings.error("DM104", at, f"'{child}' is no name for a tag", "Write words with dots between.")
    _check_detection(model, site, findings)
    check_tag_regimes(taxonomy, findings)
    for name, tag in model.tags.items():
        for index, child in enumerate(tag.children):
            full = f"{name}.{child}"
            if full in declared:
                where = "" if declared[full] == full else f", below '{declared[full]}'"
                message = f"the tag '{full}' is declared already{where}"
                findings.error("DM604", site / "tags" / name / "children" / index, message, "Declare it once.")
            declared[full] = name
        parent = next((each for each, up in model.tags.items() if up.pii and each != name and covers(each, name)), None)
        if "pii" in tag.model_fields_set and not tag.pii and parent is not None:
            message = f"'{name}' lies below '{parent}', which is personal data"
            findings.error("DM212", site / "tags" / name / "pii", message, "Leave it out, or move the tag elsewhere.")


def _check_detection(model: Taxonomy, site: Site, findings: Findings) -> None:
    """Record what `scan` could not work with: patterns, names and kinds."""
    kinds: dict[str, str] = {}
    named: dict[str, str] = {}
    for name, tag in model.tags.items():
        place = site / "tags" / name
        for index, kind in enumerate(tag.detects):
            first = kinds.setdefault(kind, name)
            if first != name:
                message = f"'{first}' detects '{kind}' already, and is the tag that is proposed"
                findings.warning("DM811", place / "detects" / index, message)
        for index, text in enumerate(tag.names):
            if not joined(text):
                message, hint = f"'{text}' has no word", "Write words as they stand in names of columns."
                findings.error("DM104", place / "names" / index, message, hint)
                continue
            first = named.setdefault(joined(text), name)
            if first != name:
                message = f"the name '{text}' belongs to '{first}' already"
                findings.warning("DM811", place / "names" / index, message)
        for index, text in enumerate(tag.patterns):
            _check_pattern(text, place / "patterns" / index, findings)


def _check_pattern(text: str, at: Site, findings: Findings) -> None:
    try:
        pattern = compile_pattern(text)
    except PatternProblem as problem:
        hint = "Write a pattern of RE2; it has to match a value as a whole."
        findings.error("DM104", at, f"the pattern cannot be used: {problem}", hint)
        return
    if too_wide(pattern):
        findings.warning("DM810", at, "the pattern matches values that have nothing in common")
