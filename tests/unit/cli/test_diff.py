# SPDX-License-Identifier: Apache-2.0
"""`diff`: trees and commits compared from the command line."""

import json
import shutil
from pathlib import Path

from tests.unit.cli.test_commands import Run, change, policy, product
from tests.unit.documents.test_git import git


def committed(mesh: Path) -> None:
    git(mesh.parent, "init", "-q", "-b", "main")
    git(mesh.parent, "add", "-A")
    git(mesh.parent, "commit", "-qm", "specs")


def untag(mesh: Path) -> None:
    """Personal data without its tag, and policies without the tests that would notice."""
    change(product(mesh), ", tags: [pii.email]", "")
    text = policy(mesh).read_text("utf-8")
    policy(mesh).write_text(text.partition("tests:\n")[0] + "---" + text.partition("---")[2], "utf-8")


def test_nothing_differs_from_the_last_commit(mesh: Path, run: Run) -> None:
    committed(mesh)
    for arguments in (("--from", "git:HEAD"), ("--from", ".", "--to", "git:main"), ("--from", str(mesh.parent))):
        code, out, err = run("diff", "--config", str(mesh), *arguments, "--fail-on", "safe")
        assert (code, out, err) == (0, "no changes\n", "")


def test_an_untagged_field_is_told_with_who_would_see_it(mesh: Path, run: Run) -> None:
    committed(mesh)
    untag(mesh)
    arguments = ("diff", "--config", str(mesh), "--from", "git:main", "--to", ".", "--format", "json")
    code, out, _ = run(*arguments)
    told = json.loads(out)
    assert (code, told["class"]) == (0, "privacy-weakening")
    kinds = {each["kind"] for each in told["changes"]}
    assert {"tag-removed", "policy-narrowed"} <= kinds
    assert {"principal": "chief for care", "address": "people#Person.email"}.items() <= told["access"][-1].items()
    assert run(*arguments, "--fail-on", "privacy-weakening")[0] == 1
    assert run(*arguments, "--fail-on", "safe")[0] == 1


def test_the_class_to_fail_on_is_a_bound(mesh: Path, run: Run) -> None:
    committed(mesh)
    change(product(mesh), "value: 99.9", "value: 99")
    arguments = ("diff", "--config", str(mesh), "--from", "git:main", "--fail-on")
    assert [run(*arguments, cls)[0] for cls in ("safe", "review", "breaking", "privacy-weakening")] == [1, 1, 1, 0]


def test_a_tree_that_validate_refuses_is_invalid(mesh: Path, run: Run) -> None:
    committed(mesh)
    change(product(mesh), "[pii.email]", "[pii.mail]")
    for arguments in (("--from", "git:main"), ("--from", ".", "--to", "git:main")):
        code, out, _ = run("diff", "--config", str(mesh), *arguments, "--format", "json")
        told = json.loads(out)
        assert (code, told["class"], told["changes"]) == (1, "invalid", [])
        assert "DM204" in {each["code"] for each in told["diagnostics"]}
    code, out, err = run("diff", "--config", str(mesh), "--from", "git:main")
    assert code == 1
    assert "refused by validate" in out
    assert "did you mean 'pii.email'?" in err
    assert run("diff", "--config", str(mesh), "--from", "git:main", "--format", "markdown")[1].startswith(
        "### DictaMesh: invalid"
    )


def test_two_folders(mesh: Path, run: Run, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("other") / "tree"
    shutil.copytree(mesh.parent, other)
    change(other / "products" / "people.yaml", "people\nteam", "persons\nteam")
    code, out, _ = run(
        "diff", "--config", str(mesh), "--from", str(mesh.parent), "--to", str(other), "--format", "json"
    )
    told = json.loads(out)
    assert (code, told["class"]) == (0, "breaking")
    assert any(each["kind"] == "topic-renamed" for each in told["changes"])
    assert run("diff", "--config", "mesh.yaml", "--from", str(other), "--to", ".")[0] == 0
    assert run("diff", "--config", "mesh.yaml", "--from", str(other / "mesh.yaml"))[0] == 0


def test_approvers_stand_beside_the_mesh_file(mesh: Path, run: Run) -> None:
    committed(mesh)
    (mesh.parent / "APPROVERS").write_text("breaking people* @ana\n")
    change(product(mesh), "value: 99.9", "value: 99")
    arguments = ("diff", "--config", str(mesh), "--from", "git:main")
    assert "to be approved by @ana" in run(*arguments)[1]
    assert "**To be approved by** @ana" in run(*arguments, "--format", "markdown")[1]
    (mesh.parent / "APPROVERS").write_text("worst *\n")
    code, _, err = run(*arguments)
    assert code == 2
    assert "line 1" in err


def test_usage_lowers_what_nobody_uses(mesh: Path, run: Run) -> None:
    committed(mesh)
    change(product(mesh), "      - {name: area, logicalType: string, classification: public}\n", "")
    change(policy(mesh), "area = ANY(principal.areas) OR ", "")
    arguments = ("diff", "--config", str(mesh), "--from", "git:main", "--format", "json", "--usage")
    usage = mesh.parent / "usage.json"
    for operations, cls in ((3, "breaking"), (0, "review")):
        told = {"address": "people#Person.area", "principal": "bi", "operations": operations}
        usage.write_text(json.dumps({"fields": [told]}))
        changes = json.loads(run(*arguments, str(usage))[1])["changes"]
        removed = next(each for each in changes if each["kind"] == "field-removed")
        assert removed["class"] == cls
        assert removed["affects"] == (["bi (3 operations)"] if operations else [])
    for text in ("{", "[]", '{"fields": 3}', "[" * 100_000):
        usage.write_text(text)
        assert run(*arguments, str(usage))[0] == 2


def test_wrong_usage(mesh: Path, run: Run) -> None:
    assert run("diff", "--config", str(mesh))[0] == 2
    code, _, err = run("diff", "--config", str(mesh), "--from", "git:main")
    assert code == 2
    assert "lies in no git repository" in err
    committed(mesh)
    code, _, err = run("diff", "--config", str(mesh), "--from", "git:mian")
    assert code == 2
    assert "git knows no revision 'mian'" in err
    assert run("diff", "--config", str(mesh), "--from", "nowhere")[0] == 2
    assert run("diff", "--config", str(mesh), "--from", "git:main", "--usage", "nowhere.json")[0] == 2
    assert run("diff", "--config", str(mesh), "--from", "git:main", "--fail-on", "invalid")[0] == 2
