# SPDX-License-Identifier: Apache-2.0
"""`$${` in an expression is the text `${`, as everywhere that a reference could be meant (S27)."""

from dictamesh.runtime.governance.conditions import condition
from tests.support.example import FINANCE, edited, files, plan

ROWS = """\
---
apiVersion: dictamesh/v1
kind: Policy
name: no-templates
owner: privacy-office
match: {entities: [Customer]}
rows:
  - {name: no-templates, keep: "country <> '$${country}' AND country <> 'a' || '$${b}'"}
"""


def test_an_escaped_opening_in_a_condition_is_text():
    made = plan(edited(files(), (FINANCE, "", ROWS)))
    entity = next(each for each in made.rules.rows if each.endswith("#Customer"))
    policy = next(each for each in made.rules.rows[entity] if each.policy == "no-templates")
    keep = policy.entries[0].keep
    assert not isinstance(keep, bool)
    kept = [text for text in ("${country}", "$${country}", "a${b}", "DE") if condition(keep)({"country": text}, {})]
    assert kept == ["$${country}", "DE"]
