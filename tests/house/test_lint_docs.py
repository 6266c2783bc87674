"""Each code of the lint is documented with its level, and each documented code is found."""

import re
from pathlib import Path

from incidents.lint import CHECKS

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| .+ \|$", re.MULTILINE)
_FOUND = re.compile(r'finding\(\s*"(\w+)",\s*Level\.(\w+),')


def _documented() -> dict[str, str]:
    rows = _ROW.findall((ROOT / "docs" / "reference" / "lint.md").read_text())
    assert len(rows) == len(dict(rows))
    return dict(rows)


def test_codes_and_levels_are_those_of_the_code() -> None:
    found = {
        (code, level.lower())
        for path in (ROOT / "incidents" / "lint").glob("*.py")
        for code, level in _FOUND.findall(path.read_text())
    }

    assert set(_documented().items()) == found


def test_each_check_bears_the_name_of_its_code() -> None:
    assert {check.__name__ for check in CHECKS} == set(_documented())
