"""From a change to what is served."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Component, Incident
from incidents.values import (
    ComponentStatus,
    Phase,
    ProgressPhase,
    ProgressState,
    PromiseKind,
    Severity,
    Visibility,
    When,
)
from statuspage import publisher
from statuspage.operations import set_up_page
from statuspage.publisher.site import Site
from tests.factories import HOUR, MINUTE, NOON
from tests.statuspage.conftest import Visitor

SECOND = timedelta(seconds=1)


def _declare(title: str = "Tours do not open", **more: Any) -> Incident:
    arguments: dict[str, Any] = {
        "title": title,
        "severity": Severity.SEV2,
        "at": NOON,
        "author": None,
        "body": "We are looking into it.",
    }
    return operations.declare_incident(**arguments | more)


def _publish(after: timedelta = timedelta(0)) -> None:
    publisher.publish_now(now=lambda: NOON + after)


def _unscripted(page: str) -> str:
    """Return what a page says only where no script runs."""
    found = re.findall(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    return re.sub(r"<[^>]+>", "", " ".join(found))


def _restore(incident: Incident, **more: Any) -> None:
    """Report a restore that is half done at noon and expected to end between 12:10 and 12:20."""
    progress: dict[str, Any] = {
        "phase": ProgressPhase.FETCHING,
        "done": 39_480_000_000,
        "total": 84_000_000_000,
        "unit": "bytes",
        "rate": 38.4e6,
        "eta_low_at": NOON + 10 * MINUTE,
        "eta_high_at": NOON + 20 * MINUTE,
        "eta_basis": "the last 60 s",
        "data_until_at": NOON - 3 * HOUR,
    }
    operations.report_progress(
        incident_id=incident.pk,
        key="restore-1",
        title="Restore of the tours",
        progress=operations.Progress(**progress | more),
        at=NOON,
    )


@pytest.mark.django_db
class TestFrontPage:
    def test_with_nothing_to_tell_says_so(self, public_root: Path, visitor: Visitor) -> None:
        _publish()

        page = visitor.get("/").text

        assert "All systems operational" in page
        assert "Nothing has been reported." in page
        assert "Revision 1, generated" in page

    def test_is_never_plainly_green_over_an_open_incident(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        Component.objects.create(name="API", created_at=NOON, updated_at=NOON)
        _declare(severity=Severity.SEV1)
        _publish()

        page = visitor.get("/").text

        assert "Components operational, 1 open incident" in page
        assert "All systems operational" not in page
        assert 'class="banner is-critical page-status status-none"' in page
        assert visitor.get("/api/v2/status.json").json["status"]["indicator"] == "none"

    def test_shows_a_restore_in_words_and_figures(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        _restore(_declare())
        _publish()

        page = visitor.get("/").text

        assert "Copying the backup" in page
        assert "39.5 GB of 84.0 GB · 47 %" in page
        assert '<progress max="100" value="47"' in page
        assert "38.4 MB per second" in page
        assert ">12:10</time> and <time" in page
        assert "from the last 60 s" in page
        assert "12 January 2026, 09:00 UTC</time> is being brought back." in page
        assert "12 January, 12:00:00 UTC" in page

    @pytest.mark.parametrize("rate", [None, 0.0, 0.3])
    def test_shows_no_speed_that_is_none(
        self, rate: float | None, public_root: Path, visitor: Visitor
    ) -> None:
        _restore(_declare(), rate=rate)
        _publish()

        assert "per second" not in visitor.get("/").text
        live = visitor.get("/api/status/v1/live.json").json
        assert live["incidents"][0]["progress"][0]["rate"] is None

    @pytest.mark.parametrize(
        ("event", "said", "decides"),
        [
            (operations.JobEvent.PAUSED, "Paused since <time", False),
            (operations.JobEvent.DECIDING, "12 of 14 are back. The rest has newer work", True),
        ],
    )
    def test_says_why_a_restore_rests_and_since_when(
        self,
        event: operations.JobEvent,
        said: str,
        decides: bool,  # noqa: FBT001
        public_root: Path,
        visitor: Visitor,
    ) -> None:
        incident = _declare()
        rests: dict[str, Any] = {
            "phase": ProgressPhase.TENANTS, "done": 12, "total": 14, "unit": "items",
            "eta_low_at": None, "eta_high_at": None, "state": ProgressState.PAUSED,
        }  # fmt: skip
        operations.report_event(
            incident_id=incident.pk, key="restore-1", title="Restore", event=event, number=1,
            progress=operations.Progress(data_until_at=NOON - HOUR, **rests), at=NOON,
        )  # fmt: skip
        _restore(incident, **rests)
        _publish(MINUTE)

        page = visitor.get("/").text

        assert said in page
        assert ("is to come back" in page) is not decides
        assert ("Waiting for a decision" in page) is decides
        progress = visitor.get("/api/status/v1/live.json").json["incidents"][0]["progress"][0]
        assert progress["waits_for_decision"] is decides
        assert progress["paused_since"] == "2026-01-12T12:00:00.000Z"

    def test_says_what_an_edited_update_said_before(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        update = _declare().updates.get()
        operations.correct_status_update(
            update_id=update.pk, body="We found it.", at=NOON + MINUTE, author=None
        )
        _publish(2 * MINUTE)

        page = visitor.get("/").text

        assert "edited <time" in page
        assert "We found it." in page
        assert "What it said until" in page
        assert "We are looking into it." in page

    def test_hides_what_is_fine_and_only_shown_if_not(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        Component.objects.create(
            name="Standby", only_show_if_degraded=True, created_at=NOON, updated_at=NOON
        )
        _publish()

        assert "Standby" not in visitor.get("/").text
        assert "Standby" in visitor.get("/api/v2/components.json").text


@pytest.mark.django_db
class TestTime:
    """Nobody publishes any more: the same documents, read later."""

    def _read_at(self, visitor: Visitor, after: timedelta) -> str:
        visitor.clock[0] = (NOON + after).timestamp()
        return visitor.get("/").text

    def test_makes_a_silent_restore_stale(self, public_root: Path, visitor: Visitor) -> None:
        _restore(_declare())
        _publish(SECOND)
        silent = timedelta(seconds=settings.STALE_AFTER_SECONDS)

        assert "No news since" not in self._read_at(visitor, silent - SECOND)
        page = self._read_at(visitor, silent)

        assert "No news since <time" in page
        assert "12:00:00 UTC</time>.</strong>" in page
        assert "per second" not in page
        assert "is being brought back" not in page
        live = visitor.get("/api/status/v1/live.json").json
        assert live["incidents"][0]["progress"][0]["stale"] is True

    def test_makes_estimates_pass(self, public_root: Path, visitor: Visitor) -> None:
        incident = _declare()
        operations.make_promise(
            incident_id=incident.pk,
            kind=PromiseKind.ETA,
            due=When(at=NOON + 5 * MINUTE),
            at=NOON,
            author=None,
        )
        _publish(SECOND)

        assert "That time has passed." not in self._read_at(visitor, 4 * MINUTE)
        page = self._read_at(visitor, 5 * MINUTE)

        assert "We said" in page
        assert "That time has passed." in page
        assert "passed at <time" in page

    def test_makes_the_next_update_late(self, public_root: Path, visitor: Visitor) -> None:
        # SEV2 while investigating: customers hear every 15 minutes.
        _declare()
        _publish(SECOND)

        assert "and is late" not in self._read_at(visitor, 2 * MINUTE)
        assert "and is late" in self._read_at(visitor, 16 * MINUTE)

    def test_makes_a_copy_old(self, public_root: Path, visitor: Visitor) -> None:
        _declare()
        _publish()

        # The words are there, for copies of which nobody picks an edition, and are not shown.
        old = re.compile(r'<p class="notice is-stale" id="age" [^>]*hidden>')
        assert old.search(self._read_at(visitor, 2 * MINUTE))
        page = self._read_at(visitor, 4 * MINUTE)

        assert not old.search(page)
        assert "This copy is from <time" in page
        assert "12 January 2026, 12:00 UTC" in page
        assert visitor.get("/api/status/v1/live.json").json["copy_is_old"] is True

    def test_is_told_ahead_to_those_without_a_script(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        """Words that are true for ever: on a copy, nobody changes them."""
        incident = _declare()
        set_up_page(name="Acme", url="https://status.example", at=NOON)
        _publish()

        for path in ("/", "/live", f"/incidents/{incident.public_id}"):
            unscripted = _unscripted(visitor.get(path).text)
            assert "It is from 12 January 2026, 12:00 UTC;" in unscripted
            assert "after 12 January 2026, 12:03 UTC, what follows may no longer" in unscripted
            assert "look at https://status.example." in unscripted
        # A server of ours says it itself, when it is time.
        assert not _unscripted(self._read_at(visitor, 3 * MINUTE))

    def test_is_told_ahead_for_longer_where_little_happens(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        incident = _declare()
        operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON, author=None)
        _publish()

        assert "after 12 January 2026, 12:15 UTC" in _unscripted(visitor.get("/").text)
        # What is over does not grow old.
        assert not _unscripted(visitor.get(f"/incidents/{incident.public_id}").text)

    def test_is_published_anew_when_it_has_changed_something(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        _restore(_declare())
        _publish(SECOND)
        silent = timedelta(seconds=settings.STALE_AFTER_SECONDS)

        assert not publisher.publish_due(now=lambda: NOON + silent - SECOND)
        assert publisher.publish_due(now=lambda: NOON + silent)
        assert not publisher.publish_due(now=lambda: NOON + silent + SECOND)

    def test_is_published_anew_though_nothing_happens(self, public_root: Path) -> None:
        _publish()

        assert not publisher.publish_due(now=lambda: NOON + 4 * MINUTE)
        assert publisher.publish_due(now=lambda: NOON + 5 * MINUTE)


@pytest.mark.django_db
class TestHistory:
    def test_is_paged_by_month_and_its_neighbours(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        for title, at in (("October", 100), ("December", 40), ("January", 2)):
            began = NOON - timedelta(days=at)
            incident = _declare(title, at=began)
            operations.resolve_incident(
                incident_id=incident.pk, body=f"{title} is over.", at=began + HOUR, author=None
            )
            _publish()

        january, december = visitor.get("/history").text, visitor.get("/history/2025-12").text

        assert "January is over." in january
        assert "after 1 hour" in january
        assert "December is over." not in january
        assert 'rel="prev" href="/history/2025-12"' in january
        assert 'rel="prev" href="/history/2025-10"' in december
        assert 'rel="next" href="/history/2026-01"' in december
        assert 'rel="next" href="/history/2025-12"' in visitor.get("/history/2025-10").text
        assert visitor.get("/history/2025-11").status == 404

    def test_a_resolved_incident_keeps_its_page(self, public_root: Path, visitor: Visitor) -> None:
        incident = _declare()
        _publish()
        operations.resolve_incident(
            incident_id=incident.pk, body="It is over.", at=NOON + HOUR, author=None
        )
        _publish(HOUR)
        _publish(2 * HOUR)

        page = visitor.get(f"/incidents/{incident.public_id}")

        assert "It is over." in page.text
        assert "after 1 hour" in page.text
        assert "http-equiv" not in page.text
        document = visitor.get(f"/api/v2/incidents/{incident.public_id}.json").json
        assert document["incident"]["status"] == "resolved"
        assert "It is over." in visitor.get("/").text

    def test_an_old_incident_that_is_corrected_is_corrected_there(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        incident = _declare()
        operations.resolve_incident(
            incident_id=incident.pk, body="It was the disk.", at=NOON + HOUR, author=None
        )
        for number in range(65):
            other = _declare(f"Other {number}", at=NOON + 2 * HOUR, body="Looking.")
            operations.resolve_incident(
                incident_id=other.pk, body="Over.", at=NOON + 3 * HOUR, author=None
            )
        publisher.publish_all(now=lambda: NOON + 4 * HOUR)
        update = incident.updates.get(phase=Phase.RESOLVED)
        Incident.objects.filter(pk=incident.pk).update(updated_at=NOON)
        operations.correct_status_update(
            update_id=update.pk, body="It was the network.", at=NOON + HOUR, author=None
        )

        publisher.request_publish(incident.pk, now=lambda: NOON + 5 * HOUR)

        assert "It was the network." in visitor.get(f"/incidents/{incident.public_id}").text
        assert "It was the network." in visitor.get("/history/2026-01").text

    def test_what_is_public_no_longer_is_gone(self, public_root: Path, visitor: Visitor) -> None:
        incident = _declare()
        operations.resolve_incident(
            incident_id=incident.pk, body="It is over.", at=NOON + HOUR, author=None
        )
        _publish(HOUR)
        Incident.objects.filter(pk=incident.pk).update(visibility=Visibility.INTERNAL)

        publisher.request_publish(incident.pk, now=lambda: NOON + 2 * HOUR)

        assert visitor.get(f"/incidents/{incident.public_id}").status == 404
        assert visitor.get(f"/api/v2/incidents/{incident.public_id}.json").status == 404
        for path in ("/", "/history", "/history.atom", "/api/v2/incidents.json"):
            assert "It is over." not in visitor.get(path).text


@pytest.mark.django_db
class TestSecrets:
    def test_stay_inside(self, public_root: Path, visitor: Visitor) -> None:
        secret = "s3://planted-bucket/host-17"
        shown = _declare(summary=secret)
        _declare(secret, visibility=Visibility.INTERNAL)
        _declare(secret, body="")
        _restore(shown)
        operations.draft_status_update(
            incident_id=shown.pk, body=secret, phase=Phase.IDENTIFIED, at=NOON, author=None
        )
        publisher.publish_all(now=lambda: NOON)

        for file in public_root.rglob("*"):
            if file.is_file() and not file.name.endswith((".gz", ".br")):
                assert b"planted-bucket" not in file.read_bytes(), file
                assert b"restore-1" not in file.read_bytes(), file


@pytest.mark.django_db
class TestCost:
    def _queries(self) -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            _publish(4 * HOUR)
        return len(seen)

    def _history(self, number: int) -> None:
        for index in range(number):
            incident = _declare(f"Past {index}", at=NOON - HOUR)
            operations.resolve_incident(
                incident_id=incident.pk, body="Over.", at=NOON - MINUTE, author=None
            )

    def test_in_queries_is_the_same_for_one_incident_or_ten(self, public_root: Path) -> None:
        _restore(_declare())
        _publish()
        one = self._queries()
        for number in range(9):
            _declare(f"Incident {number}")
        _publish(HOUR)

        assert self._queries() == one

    def test_in_queries_is_the_same_for_any_history(self, public_root: Path) -> None:
        self._history(1)
        _publish()
        few = self._queries()
        self._history(70)
        _publish(HOUR)

        assert self._queries() == few

    def test_in_files_is_what_changed(self, page_root: Path) -> None:
        self._history(5)
        _publish()
        before = {file: file.stat().st_mtime_ns for file in (page_root / "archive").rglob("*.html")}
        _declare()
        _publish(MINUTE)

        changed = {
            file.name
            for file in (page_root / "archive").rglob("*.html")
            if before.get(file) != file.stat().st_mtime_ns
        }
        assert changed == {"2026-01.html"}


@pytest.mark.django_db
class TestFailure:
    def test_is_made_up_for(
        self,
        page_root: Path,
        visitor: Visitor,
        django_capture_on_commit_callbacks: Callable[..., Any],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        _publish()
        incident = _declare()
        (page_root / "revisions").rename(page_root / "away")
        (page_root / "revisions").write_text("in the way")

        # The poster is not bothered with it.
        with django_capture_on_commit_callbacks(execute=True):
            operations.post_status_update(
                incident_id=incident.pk,
                body="Found.",
                phase=Phase.IDENTIFIED,
                at=NOON + MINUTE,
                author=None,
            )
        assert "publishing failed" in caplog.text
        (page_root / "revisions").unlink()
        (page_root / "away").rename(page_root / "revisions")

        assert publisher.publish_due(now=lambda: NOON + 2 * MINUTE)
        assert "Found." in visitor.get("/").text
        assert Site(page_root).marks() == []


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_requests_that_wait_are_published_together(self, page_root: Path) -> None:
        set_up_page(name="Acme", url="https://x.example", at=NOON)
        site, count = Site(page_root), 6
        before = site.next_revision()
        incidents = [_declare(f"Incident {number}", body="") for number in range(count)]

        def post(incident: Incident) -> None:
            try:
                operations.post_status_update(
                    incident_id=incident.pk,
                    body=f"Update of {incident.pk}.",
                    phase=Phase.IDENTIFIED,
                    at=NOON,
                    author=None,
                )
            finally:
                connection.close()

        first = site.next_revision()
        threads = [threading.Thread(target=post, args=[incident]) for incident in incidents]
        with site.alone():
            for thread in threads:
                thread.start()
            while len(site.marks()) < count:
                assert any(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join()

        assert before <= first
        assert site.next_revision() - first == 1
        assert site.marks() == []
        page = (site.current / "site" / "index.html").read_text()
        assert all(f"Update of {incident.pk}." in page for incident in incidents)

    def test_an_update_is_served_when_its_poster_is_answered(
        self, public_root: Path, visitor: Visitor
    ) -> None:
        api = operations.add_component(name="API", at=NOON)
        _declare(body="It is the cable.", components={api.pk: ComponentStatus.PARTIAL_OUTAGE})

        assert "It is the cable." in visitor.get("/").text
        assert "Minor service outage" in visitor.get("/").text


@pytest.mark.django_db
def test_a_finished_restore_says_what_is_back(public_root: Path, visitor: Visitor) -> None:
    _restore(_declare(), phase=ProgressPhase.READY, state=ProgressState.SUCCEEDED)
    _publish(HOUR)

    page = visitor.get("/").text

    assert "12 January 2026, 09:00 UTC</time> is back." in page
    assert "No news since" not in page
    assert "Last sign of life" not in page
