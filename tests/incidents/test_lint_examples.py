"""The lint on real public postmortems: what it must find there, and nothing besides."""

import json
from pathlib import Path

import pytest
from django.conf import settings

from incidents.importer import read_postmortem
from incidents.lint import lint

FOLDER: Path = settings.SHARED_DIR / "examples" / "postmortems"
NAMES = (
    "dfds-pm2020-007",
    "google-sre-shakespeare-2015",
    "hachyderm-2022-12-13",
    "k8s-prow-2019-01-23",
    "moj-2024-07-25",
    "rust-docsrs-2019-10-21",
)
# True of most documents, and too plain to be listed in the ground truth.
PLAIN = {"action_without_owner", "action_without_due", "timezone_missing"}


@pytest.mark.parametrize("name", NAMES)
def test_finds_what_a_careful_reader_would_and_nothing_besides(name: str) -> None:
    if not FOLDER.exists():
        pytest.skip("the examples are not here")
    expected = json.loads((FOLDER / f"{name}.expected.json").read_text())["lint_expected"]

    found = {finding.code for finding in lint(read_postmortem((FOLDER / f"{name}.md").read_text()))}

    assert found - PLAIN == {finding["code"] for finding in expected}
