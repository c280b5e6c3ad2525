# SPDX-License-Identifier: Apache-2.0
"""The golden harness: what its files mean, and that a wrong text is caught."""

from pathlib import Path

import pytest

from tests.support.golden import check, read

FILE = """\
runner: load

```yaml mesh.yaml
a: 1
b: two words
```

## first
main: other.yaml

```edit mesh.yaml
-two
-+x
+three
```

## second

```yaml a.yaml escaped
\\xff\\t\\u00e9
```

```json
{"old": 1}
```
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DICTAMESH_REWRITE", raising=False)
    path = tmp_path / "cases.md"
    path.write_text(FILE.replace("-+x\n", ""))
    return path


def test_reading(file: Path) -> None:
    first, second = read(file)
    assert first.title == "first"
    assert first.options == {"runner": "load", "main": "other.yaml"}
    assert first.files == {"mesh.yaml": b"a: 1\nb: three words\n"}
    assert first.expected is None
    assert second.options == {"runner": "load"}
    assert second.files == {"mesh.yaml": b"a: 1\nb: two words\n", "a.yaml": b"\xff\t\xe9\n"}
    assert (second.expected, second.language) == ('{"old": 1}\n', "json")


def test_edit_that_does_not_fit_is_refused(file: Path) -> None:
    file.write_text(FILE)
    with pytest.raises(AssertionError, match="stands 0 times"):
        read(file)


def test_difference_fails(file: Path) -> None:
    first, second = read(file)
    check(second, '{"old": 1}')
    with pytest.raises(AssertionError):
        check(second, '{"new": 1}')
    with pytest.raises(AssertionError, match="no expected block"):
        check(first, "x")


def test_rewriting_replaces_and_adds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICTAMESH_REWRITE", "1")
    first, second = read(file)
    check(first, "one\ntwo\n")
    check(second, "[]\n")
    first, second = read(file)
    assert first.expected == "one\ntwo\n"
    assert second.expected == "[]\n"
    assert first.options["main"] == "other.yaml"
    before = file.read_text()
    check(first, "one\ntwo\n")
    assert file.read_text() == before
