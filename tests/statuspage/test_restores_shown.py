"""Which restore of an incident stands whole on its page, and which are one line beneath."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Max

from incidents import operations
from incidents.models import Incident, ProgressReport
from incidents.operations import Progress
from incidents.values import ProgressPhase, ProgressState, Severity
from statuspage import publisher
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

State = ProgressState


@pytest.fixture
def incident() -> Incident:
    return operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, at=NOON, author=None, body="We look."
    )


def told(
    incident: Incident, number: int, state: State, *, at: datetime | None = None, **more: Any
) -> None:
    """Report the restore of this number, begun that many minutes after noon."""
    given: dict[str, Any] = {
        "phase": ProgressPhase.FETCHING,
        "done": 10 + number,
        "total": 100,
        "unit": "bytes",
        "subject": "database:1",
        "data_until_at": NOON - number * HOUR,
    }
    operations.report_progress(
        incident_id=incident.pk,
        key=f"restore-{number}",
        title="Database restore",
        progress=Progress(state=state, **given | more),
        at=at or NOON + number * MINUTE,
    )


def page_of(visitor: Visitor) -> str:
    """Return the front page as it is published a moment after the last news."""
    heard = ProgressReport.objects.aggregate(Max("heartbeat_at"))["heartbeat_at__max"]
    publisher.publish_now(now=lambda: heard + timedelta(seconds=1))
    return visitor.get("/").text


def standing(page: str) -> tuple[list[str], list[str]]:
    """Return the states of the jobs that stand whole, and the lines of those that are folded."""
    page = page[page.index('<div id="open">') :]
    fold = re.compile(r'<details id="j-[^>]+><summary>(.*?)</summary>.*?</details>', re.DOTALL)
    folds, rest = fold.findall(page), fold.sub("", page)
    lines = [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in folds]
    return re.findall(r'<section class="job is-([a-z]+)', rest), lines


class TestOnTheFrontPage:
    def test_the_one_at_work_stands_first_and_whole(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.FAILED)
        told(incident, 2, State.CANCELLED)
        told(incident, 3, State.RUNNING)

        whole, folded = standing(page_of(visitor))

        assert whole == ["running"]
        assert folded == [
            "Database restore Ended early 12 January, 12:02 UTC",
            "Database restore Stopped 12 January, 12:01 UTC",
        ]

    def test_what_is_folded_is_all_there(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.CANCELLED)
        told(incident, 2, State.RUNNING)

        page = page_of(visitor)

        assert "11 B of 100 B" in page
        assert page.index("12 B of 100 B") < page.index("11 B of 100 B")

    def test_of_a_staged_recovery_the_open_part_says_up_to_when_all_is_back(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.SUCCEEDED, phase=ProgressPhase.READY)
        told(incident, 2, State.RUNNING)

        whole, (line,) = standing(page_of(visitor))

        assert whole == ["running"]
        assert line == (
            "Database restore Finished 12 January, 12:01 UTC · "
            "Everything up to 12 January 2026, 11:00 UTC is back."
        )

    def test_with_none_at_work_the_newest_stands_whole(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.SUCCEEDED)
        told(incident, 2, State.CANCELLED)

        whole, folded = standing(page_of(visitor))

        assert whole == ["cancelled"]
        assert [line.split(" 12 ")[0] for line in folded] == ["Database restore Finished"]

    def test_one_that_has_stopped_stands_whole_until_another_takes_its_place(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.FAILED, at=NOON)
        told(incident, 2, State.RUNNING, at=NOON, subject="database:2")
        told(incident, 3, State.CANCELLED, at=NOON)

        whole, _folded = standing(page_of(visitor))
        assert whole == ["running", "failed"]

        told(incident, 4, State.SUCCEEDED, at=NOON)
        whole, folded = standing(page_of(visitor))
        assert whole == ["running"]
        assert len(folded) == 3

    def test_five_that_were_given_up_cost_a_visit_little(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 9, State.RUNNING, at=NOON)
        page_of(visitor)
        alone = len(visitor.get("/", accept_encoding="gzip").body)

        for number in range(1, 6):
            told(incident, number, State.CANCELLED, at=NOON)
        whole, folded = standing(page_of(visitor))
        heavy = len(visitor.get("/", accept_encoding="gzip").body)

        assert (whole, len(folded)) == (["running"], 5)
        assert heavy - alone < 700

    def test_a_single_one_is_not_folded(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.CANCELLED)

        assert standing(page_of(visitor)) == (["cancelled"], [])


class TestWordsAndFigures:
    def test_all_of_them_never_stands_beside_stopped(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(
            incident, 1, State.FAILED, phase=ProgressPhase.TENANTS, done=12, total=12, unit="items",
            is_one_by_one=True,
        )  # fmt: skip

        page = page_of(visitor)

        assert "Stopped" in page
        assert "12 of 12" not in page

    def test_some_of_them_does(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(
            incident, 1, State.FAILED, phase=ProgressPhase.TENANTS, done=11, total=12, unit="items",
            is_one_by_one=True,
        )  # fmt: skip

        assert "11 of 12" in page_of(visitor)

    def test_what_was_ended_early_has_not_finished(
        self, public_root: Path, visitor: Visitor, incident: Incident
    ) -> None:
        told(incident, 1, State.RUNNING, at=NOON)
        told(incident, 1, State.CANCELLED, at=NOON + timedelta(minutes=5), done=100)

        page = page_of(visitor)

        assert "Ended early" in page
        assert "Finished after" not in page
