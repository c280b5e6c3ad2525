# SPDX-License-Identifier: Apache-2.0
"""From files to a plan: load, validate, compile, and the policies' own tests. Pure but for reading the files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dictamesh.connectors.registry import manifests
from dictamesh.runtime.compile.compiler import compile_specs
from dictamesh.runtime.compile.plan import Plan
from dictamesh.runtime.governance.policy_tests import TestResult, run
from dictamesh.specs.collecting import uncollected
from dictamesh.specs.diagnostics import Diagnostic, Severity, Source, in_file_order
from dictamesh.specs.documents import Files, Folder, Loaded, load
from dictamesh.specs.resolve.validate import validate_loaded
from dictamesh.specs.resolved import Specs


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a tree; `plan` is None where an error stands in the way, or a policy test fails."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]
    loaded: Loaded
    tests: tuple[TestResult, ...] = ()
    specs: Specs | None = None

    @property
    def failed(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.diagnostics)


def build(files: Files, name: str) -> Built:
    """Build the mesh whose main file is `name`; never raises for a user's fault."""
    with uncollected():
        return _build(files, name)


def _build(files: Files, name: str) -> Built:
    loaded = load(files, name)
    validated = validate_loaded(loaded, manifests())
    if validated.specs is None:
        return Built(None, validated.diagnostics, validated.sources, loaded)
    compiled = compile_specs(validated.specs)
    tests = tuple(run(compiled.plan))
    failed = [_diagnostic(each) for each in tests if each.passed is False]
    found = in_file_order([*validated.diagnostics, *compiled.diagnostics, *failed], validated.sources)
    plan = None if failed else compiled.plan
    return Built(plan, found, validated.sources, loaded, tests, validated.specs)


def build_file(config: Path) -> Built:
    """Build the mesh of a `--config` file."""
    return build(Folder(config.parent), config.name)


def _diagnostic(result: TestResult) -> Diagnostic:
    wrong = [
        f"{name} is {_told(result.got.get(name))}, not {_told(wanted)}"
        for name, wanted in result.expected.items()
        if result.got.get(name) != wanted
    ]
    found = "; ".join(wrong) or result.note or "it could not be run"
    message = f"test {result.index + 1} of policy '{result.policy}': {found}"
    return Diagnostic(
        code="DM409",
        severity=Severity.ERROR,
        message=message,
        file=result.file,
        line=result.line,
        column=result.column,
        end_line=result.line,
        end_column=result.column + 1,
        hint="Correct the policy, or the test.",
    )


def _told(value: object) -> str:
    return "none" if value is None else f"'{value}'"
