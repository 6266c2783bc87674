"""A first draft of the next update: what is public is said, what is internal is a blank."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from incidents import drafting, operations, queries
from incidents.drafting import Given, Happened, Job, Missing, Since, propose
from incidents.forms.messages import blanks_in
from incidents.importer import read_postmortem
from incidents.models import Incident
from incidents.values import (
    ComponentStatus,
    ImpactKind,
    Outcome,
    Phase,
    PromiseKind,
    Severity,
    When,
)
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    ComponentFactory,
    ProgressReportFactory,
    ResponderFactory,
)

REPORT: Path = settings.SHARED_DIR / "report" / "vtb-database-restore.txt"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def _since(**more: object) -> Since:
    known: dict[str, object] = {
        "at": NOON,
        "zone": UTC,
        "phase": Phase.IDENTIFIED,
        "told_at": NOON - HOUR,
    }
    return Since(**known | more)  # type: ignore[arg-type]


class TestPropose:
    def test_where_nothing_happened_it_asks(self) -> None:
        body = propose(_since()).body

        assert body.startswith("We know what is wrong and are working on it.")
        assert blanks_in(body) == ["[what has been done, and what it showed]"]

    def test_the_first_update_asks_what_customers_notice(self) -> None:
        body = propose(_since(told_at=None)).body

        assert blanks_in(body)[0] == "[what customers notice, and since when]"

    def test_quotes_what_is_public_and_nothing_else(self) -> None:
        proposal = propose(
            _since(
                happened=[
                    Happened(
                        entry_id=1, at=NOON - 50 * MINUTE, text="The cluster is being rebuilt"
                    ),
                    Happened(entry_id=2, at=NOON - 40 * MINUTE, outcome=Outcome.FAILED),
                    Happened(entry_id=3, at=NOON - 30 * MINUTE, tags=["attempt"]),
                    Happened(entry_id=4, at=NOON - 20 * MINUTE, tags=["decision"]),
                    Happened(entry_id=5, at=NOON - 10 * MINUTE),
                ]
            )
        )

        assert "The cluster is being rebuilt." in proposal.body
        assert blanks_in(proposal.body) == [
            "[what was tried at 11:20]",
            "[what is being tried at 11:30]",
            "[what was decided at 11:40]",
        ]
        assert [source.entry_id for source in proposal.sources] == [None, 1, 2, 3, 4, None]
        assert "1 other internal entry" in proposal.sources[-1].words

    def test_sums_up_many_attempts(self) -> None:
        failed = [
            Happened(entry_id=n, at=NOON - n * MINUTE, outcome=Outcome.FAILED) for n in range(5)
        ]

        body = propose(_since(happened=failed)).body

        assert blanks_in(body) == ["[what 5 attempts were, in a few words]"]

    def test_owns_up_to_a_time_that_was_missed(self) -> None:
        body = propose(_since(given=[Given(latest=NOON - MINUTE, is_missed=True)])).body

        assert "The time that we gave, 11:59 UTC, has passed" in body
        assert "still expect" not in body

    def test_says_so_if_the_update_itself_is_late(self) -> None:
        assert "later than we said" in propose(_since(is_late=True)).body

    def test_says_how_far_the_work_is_what_is_missing_and_what_suffers(self) -> None:
        body = propose(
            _since(
                jobs=[Job(title="Restore 4", sentence="Copying the backup, 64 %.")],
                missing=[
                    Missing(kind=ImpactKind.DATA_UNAVAILABLE, since=NOON - 72 * HOUR),
                    Missing(kind=ImpactKind.DATA_LOST, since=NOON - HOUR, component="Tours"),
                ],
                components=[
                    ("Tours", ComponentStatus.MAJOR_OUTAGE),
                    ("Login", ComponentStatus.OPERATIONAL),
                ],
                given=[Given(latest=NOON + 3 * HOUR, is_missed=False)],
            )
        ).body

        assert "Copying the backup, 64 %." in body
        assert "Changes made since 9 January 12:00 UTC are not available." in body
        assert "Tours: Changes made after 11:00 UTC are lost." in body
        assert "Affected at the moment: Tours (major outage)." in body
        assert "We still expect to be done by 15:00 UTC." in body

    def test_a_job_that_is_silent_is_a_blank(self) -> None:
        silent = Job(title="Restore 4", sentence="64 %.", silent_since=NOON - 9 * MINUTE)

        body = propose(_since(jobs=[silent])).body

        assert "64 %" not in body
        assert blanks_in(body) == ["[how far, without news since 11:51 UTC]"]

    def test_says_until_when_the_night_stays_quiet(self) -> None:
        morning = datetime(2026, 1, 13, 8, 0, tzinfo=AMSTERDAM)

        body = propose(_since(zone=AMSTERDAM, quiet_until=morning)).body

        assert body.endswith("You hear from us next by 13 January 08:00 CET.")

    def test_every_blank_is_one_that_the_form_asks_for(self) -> None:
        everything = _since(
            told_at=None,
            given=[Given(latest=NOON - MINUTE, is_missed=True)],
            happened=[
                Happened(
                    entry_id=n, at=NOON - 12 * HOUR, until=NOON - 6 * HOUR, outcome=outcome,
                    milestone=milestone,
                )
                for n, (outcome, milestone) in enumerate(
                    [(Outcome.FAILED, ""), (Outcome.WORKED, ""), ("", "mitigated")]
                )
            ],
            jobs=[Job(title="Restore", sentence="", silent_since=NOON)],
        )  # fmt: skip

        body = propose(everything).body

        assert len(blanks_in(body)) == body.count("[") == 6


@pytest.mark.django_db
class TestSinceLastUpdate:
    def test_takes_what_customers_have_not_heard_and_no_internal_word(self) -> None:
        responder = ResponderFactory.create()
        tours = ComponentFactory.create()
        incident = operations.declare_incident(
            title="Tours do not open", severity=Severity.SEV1, at=NOON, author=responder,
            components={tours.pk: ComponentStatus.PARTIAL_OUTAGE},
        )  # fmt: skip
        _write(incident, "before it was told", minutes=1, is_public=True)
        operations.post_status_update(
            incident_id=incident.pk, body="We know.", phase=Phase.IDENTIFIED,
            at=NOON + 2 * MINUTE, author=responder, eta=When(at=NOON + 4 * HOUR),
        )  # fmt: skip
        _write(incident, "proxy-7.internal was restarted", minutes=3, outcome="failed")
        _write(incident, "A second team has joined", minutes=4, is_public=True)
        operations.record_impact(
            incident_id=incident.pk, kind=ImpactKind.DATA_UNAVAILABLE, began_at=NOON, at=NOON,
            author=None, data_from_at=NOON - HOUR, text="replica-2 lags",
        )  # fmt: skip
        ProgressReportFactory.create(
            incident=incident, title="Restore 4", heartbeat_at=NOON + 30 * MINUTE
        )

        since = queries.since_last_update(incident, at=NOON + 30 * MINUTE, quiet_until=None)
        incident.refresh_from_db()
        body = propose(since).body

        assert "A second team has joined." in body
        assert "copying the backup, 50 %" in body
        assert "Changes made since 11:00 UTC are not available." in body
        assert "Tours (partial outage)" in body
        assert "later than we said" in body
        assert "[what was tried at 12:03]" in body
        for word in ("before it was told", "proxy-7", "replica-2", "Restore 4", "began"):
            assert word not in body

    def test_asks_as_often_for_one_entry_as_for_many(self) -> None:
        few = operations.declare_incident(title="Few", severity=Severity.SEV1, at=NOON, author=None)
        many = operations.declare_incident(
            title="Many", severity=Severity.SEV1, at=NOON, author=None
        )
        for minutes in range(1, 30):
            _write(many, f"Attempt {minutes}", minutes=minutes, outcome="failed")

        counts = {_queries(few), _queries(many)}

        assert len(counts) == 1

    def test_a_promise_of_the_clock_is_owned_up_to_once(self) -> None:
        incident = operations.declare_incident(
            title="Down", severity=Severity.SEV1, at=NOON, author=None
        )
        operations.make_promise(
            incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=NOON + HOUR), at=NOON,
            author=None,
        )  # fmt: skip
        operations.settle_due_promises(at=NOON + 2 * HOUR)
        late = queries.since_last_update(incident, at=NOON + 2 * HOUR, quiet_until=None)
        operations.post_status_update(
            incident_id=incident.pk, body="We are late.", phase=Phase.IDENTIFIED,
            at=NOON + 2 * HOUR, author=None,
        )  # fmt: skip

        told = queries.since_last_update(incident, at=NOON + 3 * HOUR, quiet_until=None)

        assert [given.is_missed for given in late.given] == [True]
        assert list(told.given) == []


@pytest.mark.django_db
class TestFoundingReport:
    """The long silences of the founding incident, as the desk would have helped to break them."""

    def test_before_the_first_update_it_asks_for_what_was_tried(self) -> None:
        incident = _until(datetime(2026, 1, 12, 8, 0, tzinfo=AMSTERDAM))

        body = _proposed(incident, datetime(2026, 1, 12, 8, 0, tzinfo=AMSTERDAM))

        assert body.startswith("We are looking into a problem: [what customers notice")
        assert "We tried [what was tried 00:30 to 06:00], and it did not help." in body
        _says_nothing_internal(body)

    def test_in_the_longest_silence_there_is_something_to_say(self) -> None:
        incident = _until(datetime(2026, 1, 13, 18, 0, tzinfo=AMSTERDAM))

        body = _proposed(incident, datetime(2026, 1, 13, 18, 0, tzinfo=AMSTERDAM))

        assert blanks_in(body)
        _says_nothing_internal(body)


def _until(at: datetime) -> Incident:
    """Return the founding incident as it stood at a moment, written down as it happened."""
    if not REPORT.exists():
        pytest.skip(f"{REPORT.name} is not here")
    text = REPORT.read_text(encoding="utf-8")
    incident = operations.import_reading(
        reading=read_postmortem(text, year=2026), text=text, title="Database restore",
        source_name=REPORT.name, at=NOON.replace(month=6), author=None,
    )  # fmt: skip
    incident.promises.all().delete()
    incident.updates.filter(published_at__gt=at).delete()
    incident.causes.all().delete()
    incident.entries.filter(at__gt=at).delete()
    incident.entries.filter(at__isnull=True).delete()
    incident.entries.update(recorded_at=F("at"))
    return incident


def _proposed(incident: Incident, at: datetime) -> str:
    return propose(queries.since_last_update(incident, at=at, quiet_until=None)).body


def _says_nothing_internal(body: str) -> None:
    for word in ("S3", "proxy", "NVMe", "barman", "cluster", "engineer", "fatigue", "Neurenberg"):
        assert word not in body


def _write(
    incident: Incident, text: str, *, minutes: int, is_public: bool = False, outcome: str = ""
) -> None:
    at = NOON + minutes * MINUTE
    operations.add_entry(
        incident_id=incident.pk, text=text, when=When(at=at), at=at, author=None,
        is_public=is_public, outcome=outcome,
    )  # fmt: skip


def _queries(incident: Incident) -> int:
    with CaptureQueriesContext(connection) as seen:
        drafting.propose(queries.since_last_update(incident, at=NOON + HOUR, quiet_until=None))
    return len(seen)
