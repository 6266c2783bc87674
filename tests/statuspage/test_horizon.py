"""The data horizon for the whole, and the proof of backups: on the page and for programs."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Incident
from incidents.operations import Proof
from incidents.values import ImpactKind, ProgressState, ProvenHow, Severity
from statuspage import publisher
from statuspage.models import Page
from tests.factories import HOUR, NOON, ComponentFactory, ProgressReportFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

LIVE = "/api/status/v1/live.json"
DAY = timedelta(days=1)


def publish(after: timedelta = timedelta(0)) -> None:
    publisher.publish_now(now=lambda: NOON + after)


@pytest.fixture
def incident(public_root: Path) -> Incident:
    page = Page.objects.first_page(at=NOON)
    Page.objects.filter(pk=page.pk).update(time_zone="Europe/Amsterdam")
    return operations.declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=NOON, author=None, body="We know."
    )


class TestHorizon:
    def record(self, incident: Incident, kind: ImpactKind, **more: Any) -> int:
        at = NOON - 3 * DAY - HOUR
        return operations.record_impact(
            incident_id=incident.pk, kind=kind, began_at=NOON, at=NOON, author=None,
            data_from_at=at, **more,
        ).pk  # fmt: skip

    def restored(self, incident: Incident, until: timedelta, **more: Any) -> None:
        ProgressReportFactory.create(
            incident=incident, data_until_at=NOON - until,
            **{"state": ProgressState.SUCCEEDED, "ended_at": NOON} | more,
        )  # fmt: skip

    def test_says_since_when_data_is_missing_and_not_that_the_rest_is_back(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        impact = self.record(incident, ImpactKind.DATA_UNAVAILABLE)
        publish()

        page = visitor.get("/").text
        assert "Changes made since <time" in page
        assert "9 January 2026, 12:00 CET</time> are not available." in page
        assert "is back" not in page
        (found,) = visitor.get(LIVE).json["incidents"]
        assert found["horizon"] == [
            {
                "kind": "data_unavailable",
                "data_until": "2026-01-09T12:00:00.000+01:00",
                "component_id": None,
            }
        ]

        operations.end_impact(impact_id=impact, at=NOON + HOUR)
        publish(HOUR)
        assert "are not available" not in visitor.get("/").text

    def test_says_that_the_rest_is_back_once_a_restore_has_brought_it(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        self.record(incident, ImpactKind.DATA_UNAVAILABLE)
        self.restored(incident, 3 * DAY)
        publish()

        page = visitor.get("/").text

        assert "9 January 2026, 12:00 CET</time> is back; later changes follow." in page
        assert "are not available" not in page

    @pytest.mark.parametrize(
        "other",
        [
            {"until": 4 * DAY},
            {"until": DAY, "state": ProgressState.RUNNING, "ended_at": None},
            {"until": DAY, "state": ProgressState.FAILED, "ended_at": None},
        ],
    )
    def test_says_no_such_thing_while_a_restore_has_not(
        self, other: dict[str, Any], incident: Incident, visitor: Visitor
    ) -> None:
        self.record(incident, ImpactKind.DATA_UNAVAILABLE)
        self.restored(incident, DAY)
        self.restored(incident, **other)
        publish()

        assert "later changes follow" not in visitor.get("/").text

    def test_says_what_is_lost_and_goes_on_saying_so(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        self.record(incident, ImpactKind.DATA_LOST)
        operations.resolve_incident(
            incident_id=incident.pk, body="It is over.", at=NOON + HOUR, author=None
        )
        publish(HOUR)

        page = visitor.get(f"/incidents/{incident.public_id}").text
        assert "Changes made after" in page
        assert "are lost." in page

    def test_names_the_component_that_it_is_about_if_the_page_has_it(
        self, incident: Incident, visitor: Visitor
    ) -> None:
        tours = ComponentFactory.create(name="<b>Tours</b>")
        self.record(incident, ImpactKind.DATA_UNAVAILABLE, component_id=tours.pk)
        publish()

        assert "&lt;b&gt;Tours&lt;/b&gt;: changes made since" in visitor.get("/").text

    def test_asks_as_often_for_many_as_for_none(self, incident: Incident) -> None:
        publish()
        counts = []
        for _more in range(3):
            self.record(incident, ImpactKind.DATA_UNAVAILABLE)
            with CaptureQueriesContext(connection) as asked:
                publish()
            counts.append(len(asked))

        assert len(set(counts)) == 1


class TestProof:
    def tell(self, **more: Any) -> None:
        known: dict[str, Any] = {
            "name": "Tours & photos", "taken_at": NOON - HOUR,
            "proven_at": NOON - DAY, "proven_how": ProvenHow.RESTORE,
            "proven_until_at": NOON - 2 * DAY,
        }  # fmt: skip
        operations.report_proof(key="database:1", proof=Proof(**known | more), at=NOON)

    def read(self, visitor: Visitor, after: timedelta) -> tuple[str, dict[str, Any]]:
        visitor.clock[0] = (NOON + after).timestamp()
        page = visitor.get("/").text
        block = page.partition('id="proof"')[2].partition("</section>")[0]
        return block, visitor.get(LIVE).json["backups"][0]

    def test_says_when_and_by_what(self, visitor: Visitor) -> None:
        self.tell()
        publish()

        block, found = self.read(visitor, timedelta(0))

        assert "Tours &amp; photos" in block
        assert 'class="pill is-operational">Up to date' in block
        assert "12 January 2026, 11:00 UTC" in block
        assert "by a restore to" in block
        assert (found["taken_is_old"], found["proven_is_old"]) == (False, False)

    @pytest.mark.parametrize(
        ("after", "name"), [(25 * HOUR, "taken_is_old"), (34 * DAY, "proven_is_old")]
    )
    def test_grows_old_by_itself_and_is_no_longer_green(
        self, after: timedelta, name: str, visitor: Visitor
    ) -> None:
        self.tell(**({} if name == "taken_is_old" else {"taken_stale_after": 99 * DAY}))
        publish()

        _block, before = self.read(visitor, after - HOUR)
        block, found = self.read(visitor, after)

        assert not before[name]
        assert found[name]
        assert "is-operational" not in block
        assert "That is longer ago than it should be." in block

    @pytest.mark.parametrize("unknown", [{"taken_at": None}, {"proven_at": None}])
    def test_is_never_green_for_what_is_not_known(
        self, unknown: dict[str, Any], visitor: Visitor
    ) -> None:
        if "proven_at" in unknown:
            unknown |= {"proven_how": None, "proven_until_at": None}
        self.tell(**unknown)
        publish()

        block, _found = self.read(visitor, timedelta(0))

        assert 'class="pill is-unknown">Not proven' in block
        assert "is-operational" not in block

    def test_is_there_only_where_something_is_known_and_the_page_wants_it(
        self, visitor: Visitor
    ) -> None:
        publish()
        assert 'id="proof"' not in visitor.get("/").text

        self.tell()
        publish()
        assert 'id="proof"' in visitor.get("/").text

        # It names every database, and no component that a page could choose.
        Page.objects.update(shows_everything=False)
        publish()
        assert 'id="proof"' not in visitor.get("/").text
        assert visitor.get(LIVE).json["backups"] == []

        Page.objects.update(shows_everything=True, has_backup_proof=False)
        publish()
        assert 'id="proof"' not in visitor.get("/").text
        assert visitor.get(LIVE).json["backups"] == []
