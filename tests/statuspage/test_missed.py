"""An estimate that was missed stands in sight until there is another."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incidents import operations
from incidents.models import Incident
from incidents.values import Precision, ProgressState, PromiseKind, Severity, When
from statuspage import publisher
from statuspage.models import Page
from tests.factories import HOUR, MINUTE, NOON, ProgressReportFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

LIVE = "/api/status/v1/live.json"
MISSED = "that was missed, and there is no new estimate yet."


@pytest.fixture
def incident(public_root: Path) -> Incident:
    return operations.declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None, body="We know."
    )


def _promise(incident: Incident, due: datetime | When, at: datetime = NOON, **more: Any) -> None:
    operations.make_promise(
        incident_id=incident.pk, kind=PromiseKind.ETA, at=at, author=None,
        due=due if isinstance(due, When) else When(at=due), **more,
    )  # fmt: skip


def _settle_and_publish(after: timedelta) -> None:
    operations.settle_due_promises(at=NOON + after)
    publisher.publish_now(now=lambda: NOON + after)


def _etas(visitor: Visitor) -> list[dict[str, Any]]:
    (found,) = visitor.get(LIVE).json["incidents"]
    return [row for row in found["promises"] if row["kind"] == "eta"]


class TestAMissedEstimate:
    def test_stands_in_sight_with_the_time_that_was_given(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        _promise(incident, NOON + 27 * MINUTE)
        _settle_and_publish(28 * MINUTE)

        page = visitor.get("/").text

        block = page.partition("Service expected back")[2].partition("</dd>")[0]
        assert "We expected it back by <time" in block
        assert f"12 January, 12:27 UTC</time>; {MISSED}" in block
        (eta,) = _etas(visitor)
        assert (eta["passed"], eta["to"]) == (True, "2026-01-12T12:27:00.000Z")

    @pytest.mark.parametrize(
        ("due", "words"),
        [
            (When(at=NOON + MINUTE, until=NOON + 9 * MINUTE), "We expected it back between <time"),
            (
                When(at=NOON.replace(day=11, hour=0), precision=Precision.DAY, said="tonight"),
                "We expected it back by the end of 12 January",
            ),
        ],
    )
    def test_is_said_as_it_was_given(
        self, incident: Incident, visitor: Visitor, due: When, words: str
    ) -> None:
        later = due.at.replace(day=12) if due.at and due.precision == Precision.DAY else due.at
        _promise(incident, When(at=later, until=due.until, precision=due.precision, said=due.said))
        _settle_and_publish(13 * HOUR)

        assert words in visitor.get("/").text

    def test_gives_way_to_a_new_one(self, incident: Incident, visitor: Visitor) -> None:
        _promise(incident, NOON + 27 * MINUTE)
        operations.settle_due_promises(at=NOON + 28 * MINUTE)
        _promise(incident, NOON + HOUR, NOON + 30 * MINUTE)
        _settle_and_publish(31 * MINUTE)

        assert MISSED not in visitor.get("/").text
        assert [eta["passed"] for eta in _etas(visitor)] == [False]

    def test_and_to_the_end(self, incident: Incident, visitor: Visitor) -> None:
        _promise(incident, NOON + 27 * MINUTE)
        operations.settle_due_promises(at=NOON + 28 * MINUTE)
        operations.resolve_incident(
            incident_id=incident.pk, body="It is over.", at=NOON + HOUR, author=None
        )
        _settle_and_publish(HOUR + MINUTE)

        assert MISSED not in visitor.get(f"/incidents/{incident.public_id}").text

    def test_of_a_job_stands_there_once_its_panel_says_nothing_of_it(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        _promise(incident, NOON + 27 * MINUTE, made_by_job="restore-1")
        report = ProgressReportFactory.create(incident=incident, heartbeat_at=NOON + 28 * MINUTE)
        _settle_and_publish(28 * MINUTE)
        assert MISSED not in visitor.get("/").text

        report.state = ProgressState.FAILED
        report.save()
        _settle_and_publish(30 * MINUTE)

        assert MISSED in visitor.get("/").text

    def test_is_said_in_the_language_of_the_page(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        Page.objects.first_page(at=NOON)
        Page.objects.update(language="de")
        _promise(incident, NOON + 27 * MINUTE)
        _settle_and_publish(28 * MINUTE)

        page = visitor.get("/").text

        assert MISSED not in page
        assert "noch keine neue" in page
