"""The figures of one incident, and those over many: worked out by hand."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from incidents import operations, queries
from incidents.models import Component, Incident, IncidentFigures, Measure, RootCause
from incidents.operations.figures import keep_figures
from incidents.queries.measured import Middle
from incidents.spans import Span
from incidents.values import (
    CauseKind,
    ComponentStatus,
    IncidentKind,
    Milestone,
    Phase,
    Precision,
    PromiseKind,
    Role,
    Severity,
    Visibility,
    When,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, ResponderFactory
from tests.incidents.noticing import person

pytestmark = pytest.mark.django_db
ALL = queries.Period(code="all", label="", is_by_year=True)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


def _kept(incident: Incident) -> IncidentFigures:
    return IncidentFigures.objects.get(pk=incident.pk)


def _past(minutes: int, **fields: Any) -> Incident:
    """Write down an incident that took so many minutes, and began on the first of January."""
    began_at = fields.pop("began_at", FIRST)
    return operations.backfill_incident(
        title=fields.pop("title", f"Took {minutes} minutes"),
        severity=fields.pop("severity", Severity.SEV2),
        began_at=began_at,
        ended_at=began_at + minutes * MINUTE,
        at=datetime(2026, 12, 31, tzinfo=UTC),
        author=fields.pop("author", None),
        **fields,
    )


def _overview(user: User, **chosen: Any) -> Middle:
    found = queries.overview(user, queries.Chosen(period=chosen.pop("period", ALL), **chosen))
    return found.measures[Measure.RESOLVE]


class TestOfOneIncident:
    def test_are_exact_where_times_are_to_the_minute(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            started=When(at=NOON - 20 * MINUTE),
            detected=When(at=NOON - 4 * MINUTE),
            at=NOON,
            author=robin,
        )

        found = queries.figures(incident, at=NOON)

        assert found.detect == Span.exactly(16 * MINUTE)
        # Whoever declares it commands it.
        assert found.acknowledge == Span.exactly(20 * MINUTE)
        assert found.first_update is None

    def test_are_ranges_where_the_beginning_is_known_to_the_hour(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            started=When(at=NOON - 3 * HOUR, precision=Precision.HOUR),
            detected=When(at=NOON - HOUR),
            at=NOON,
            author=robin,
        )

        found = queries.figures(incident, at=NOON)

        assert found.detect == Span(low=HOUR, high=2 * HOUR)
        assert found.acknowledge == Span(low=2 * HOUR, high=3 * HOUR)
        assert (_kept(incident).detect_low, _kept(incident).detect_high) == (3600, 7200)

    def test_are_ranges_where_a_moment_is_approximate(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            started=When(at=NOON - HOUR),
            detected=When(at=NOON, approx=True),
            at=NOON,
            author=robin,
        )

        found = queries.figures(incident, at=NOON)

        assert found.detect == Span(low=45 * MINUTE, high=75 * MINUTE)

    def test_nobody_has_acknowledged_what_nobody_has_taken(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Tours do not open", severity=Severity.SEV2, at=NOON, author=None
        )
        assert queries.figures(incident, at=NOON).acknowledge is None

        operations.take_role(
            incident_id=incident.pk,
            role=Role.COMMANDER,
            seen_id=None,
            at=NOON + 7 * MINUTE,
            author=robin,
        )

        assert queries.figures(incident, at=NOON).acknowledge == Span.exactly(7 * MINUTE)
        assert _kept(incident).acknowledge_low == 7 * 60

    def test_are_not_known_where_the_end_comes_before_the_start(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            started=When(at=NOON),
            detected=When(at=NOON - HOUR),
            at=NOON,
            author=robin,
        )

        assert queries.figures(incident, at=NOON).detect is None

    def test_silence_of_an_open_incident_is_counted_until_now_and_not_kept(
        self, robin: User
    ) -> None:
        incident = operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            at=NOON,
            author=robin,
            body="We are looking into it.",
        )

        found = queries.figures(incident, at=NOON + 5 * HOUR)

        assert found.longest_silence == Span.exactly(5 * HOUR)
        assert _kept(incident).longest_silence_low is None


class TestKeptFigures:
    def test_are_those_of_the_record_after_each_kind_of_deed(self, robin: User) -> None:
        noor = person("noor")
        incident = operations.declare_incident(
            title="Tours do not open", severity=Severity.SEV2, at=NOON, author=None
        )
        pk = incident.pk

        def agree() -> dict[str, Any]:
            row = queries.figures_row(Incident.objects.get(pk=pk))
            names = [field.attname for field in row._meta.concrete_fields]
            kept = _kept(incident)
            assert [getattr(kept, name) for name in names] == [getattr(row, name) for name in names]
            return {name: getattr(kept, name) for name in names}

        def changes(deed: Any, **given: Any) -> Any:
            before = agree()
            done = deed(author=robin, **given)
            assert agree() != before, deed.__name__
            return done

        at = NOON + MINUTE
        changes(operations.take_role, incident_id=pk, role=Role.COMMANDER, seen_id=None, at=at)
        role = incident.roles.get()
        changes(
            operations.correct_role,
            assignment_id=role.pk,
            from_at=NOON,
            until_at=None,
            at=at + MINUTE,
        )
        changes(operations.undo_role, assignment_id=role.pk, at=at + MINUTE)
        detected = changes(
            operations.add_entry,
            incident_id=pk,
            text="Seen by a customer",
            when=When(at=NOON + 2 * MINUTE),
            milestone=Milestone.DETECTED,
            at=at,
        )
        changes(
            operations.edit_entry,
            entry_id=detected.pk,
            when=When(at=NOON, precision=Precision.HOUR),
            at=at,
        )
        changes(operations.revert_entry, entry_id=detected.pk, number=1, at=at)
        changes(operations.delete_entry, entry_id=detected.pk, at=at)
        changes(operations.restore_entry, entry_id=detected.pk, at=at)
        changes(
            operations.post_status_update,
            incident_id=pk,
            body="We know why.",
            phase=Phase.IDENTIFIED,
            at=NOON + 10 * MINUTE,
        )
        promise = operations.make_promise(
            incident_id=pk,
            kind=PromiseKind.ETA,
            due=When(at=NOON + 2 * HOUR),
            at=NOON + 11 * MINUTE,
            author=robin,
        )
        agree()
        before = agree()
        assert operations.settle_due_promises(at=NOON + 9 * HOUR) == 2
        assert agree()["promises_settled"] == before["promises_settled"] + 2
        promise.refresh_from_db()
        assert promise.settled_at == NOON + 2 * HOUR
        for milestone in (Milestone.MITIGATED, Milestone.RECOVERED):
            changes(
                operations.add_entry,
                incident_id=pk,
                text="It is better",
                when=When(at=NOON + HOUR),
                milestone=milestone,
                at=at,
            )
        changes(
            operations.edit_incident,
            incident_id=pk,
            title="Tours do not open",
            summary="",
            severity=Severity.SEV1,
            visibility=Visibility.PUBLIC,
            at=at,
        )
        changes(
            operations.resolve_incident, incident_id=pk, body="It is over.", at=NOON + 10 * HOUR
        )
        changes(operations.reopen_incident, incident_id=pk, reason="Not over", at=NOON + 11 * HOUR)
        other = operations.declare_incident(
            title="The same", severity=Severity.SEV3, at=NOON, author=noor
        )
        changes(
            operations.mark_duplicate,
            incident_id=pk,
            original_id=other.pk,
            at=NOON + 12 * HOUR,
        )
        changes(operations.unmark_duplicate, incident_id=pk, at=NOON + 13 * HOUR)
        agree()

    def test_a_false_alarm_has_none_to_its_end(self, robin: User) -> None:
        incident = operations.declare_incident(
            title="Nothing", severity=Severity.SEV3, at=NOON, author=robin
        )

        operations.close_untold(
            incident_id=incident.pk, reason="A test", at=NOON + HOUR, author=robin
        )

        assert (_kept(incident).is_false_alarm, _kept(incident).resolve_low) == (True, None)

    def test_are_counted_anew_by_a_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        right, wrong, gone = _past(5), _past(6), _past(7)
        IncidentFigures.objects.filter(pk=wrong.pk).update(resolve_low=1)
        _kept(gone).delete()

        call_command("rebuild_figures")

        said = "Counted 3 incidents; the kept figures of 2 were otherwise."
        assert capsys.readouterr().out.strip() == said
        assert [_kept(row).resolve_low for row in (right, wrong, gone)] == [300, 360, 420]
        assert not keep_figures(right.pk)


class TestOverIncidents:
    def test_median_and_quartiles_are_those_of_the_list(self, robin: User) -> None:
        for minutes in (10, 20, 30, 40, 100):
            _past(minutes)

        found = _overview(robin)

        # Of five in order, the second, third and fourth: 20, 30 and 40, however long the last is.
        assert (found.count, found.known, found.unknown, found.coarse) == (5, 5, 0, 0)
        assert (found.lower, found.median, found.upper) == (
            Span.exactly(20 * MINUTE),
            Span.exactly(30 * MINUTE),
            Span.exactly(40 * MINUTE),
        )

    def test_between_two_lies_the_middle(self, robin: User) -> None:
        _past(10)
        _past(20)

        found = _overview(robin)

        # As PostgreSQL interpolates: a quarter, half and three quarters of the way.
        assert found.median == Span.exactly(15 * MINUTE)
        assert found.lower == Span.exactly(timedelta(minutes=12, seconds=30))

    def test_a_coarse_time_makes_the_median_a_range(self, robin: User) -> None:
        rows = [_past(minutes) for minutes in (60, 120, 180)]
        entry = rows[1].entries.get(milestone=Milestone.RESOLVED)

        operations.edit_entry(
            entry_id=entry.pk,
            when=When(at=FIRST + 2 * HOUR, precision=Precision.HOUR),
            at=NOON,
            author=robin,
        )

        # 60, 120 to 180, and 180 minutes.
        found = _overview(robin)
        assert (found.coarse, found.known) == (1, 3)
        assert found.median == Span(low=120 * MINUTE, high=180 * MINUTE)
        assert found.lower == Span(low=90 * MINUTE, high=120 * MINUTE)

    def test_what_is_not_known_is_said_and_counts_in_no_median(self, robin: User) -> None:
        _past(10)
        operations.declare_incident(title="Goes on", severity=Severity.SEV2, at=FIRST, author=robin)

        found = _overview(robin)

        assert (found.count, found.known, found.unknown) == (2, 1, 1)
        assert found.median == Span.exactly(10 * MINUTE)

    def test_nothing_is_no_median(self, robin: User) -> None:
        found = _overview(robin)

        assert (found.count, found.median) == (0, None)

    def test_drills_duplicates_and_false_alarms_are_left_out(self, robin: User) -> None:
        _past(10)
        drill = operations.declare_incident(
            title="For practice",
            severity=Severity.SEV2,
            at=FIRST,
            author=robin,
            kind=IncidentKind.DRILL,
        )
        alarm = operations.declare_incident(
            title="Nothing", severity=Severity.SEV2, at=FIRST, author=robin
        )
        operations.close_untold(incident_id=alarm.pk, reason="Test", at=NOON, author=robin)
        twin, original = _past(999), _past(20)
        operations.mark_duplicate(
            incident_id=twin.pk, original_id=original.pk, at=NOON, author=robin
        )

        found = queries.overview(robin, queries.Chosen(period=ALL))

        assert (found.count, found.duplicates, found.false_alarms) == (2, 1, 1)
        assert found.measures[Measure.RESOLVE].median == Span.exactly(15 * MINUTE)
        drills = queries.longest_first(
            robin, queries.Chosen(period=ALL, kind=IncidentKind.DRILL), Measure.RESOLVE
        )
        assert [row.pk for row in drills] == [drill.pk]

    def test_promises_are_counted_together(self, robin: User) -> None:
        for pk, kept, settled in ((_past(1).pk, 1, 2), (_past(2).pk, 3, 3), (_past(3).pk, 0, 0)):
            IncidentFigures.objects.filter(pk=pk).update(
                promises_kept=kept, promises_settled=settled
            )

        found = queries.overview(robin, queries.Chosen(period=ALL))

        assert (found.promises_kept, found.promises_settled, found.with_promises) == (4, 5, 2)

    def test_a_private_one_counts_for_its_members_alone(self, robin: User) -> None:
        outsider = person("olga")
        _past(10)
        operations.backfill_incident(
            title="Nobody's business",
            severity=Severity.SEV1,
            began_at=FIRST,
            ended_at=FIRST + HOUR,
            at=NOON,
            author=robin,
            visibility=Visibility.PRIVATE,
            components={ComponentFactory.create().pk: ComponentStatus.MAJOR_OUTAGE},
        )
        chosen = queries.Chosen(period=ALL)

        def told(user: User) -> tuple[object, ...]:
            measure = Measure.RESOLVE
            return (
                queries.overview(user, chosen).count,
                [group.middle.count for group in queries.by_period(user, chosen, measure)],
                [group.value for group in queries.by_severity(user, chosen, measure)],
                len(queries.by_component(user, chosen, measure, Component.objects.in_tree())),
                queries.longest_first(user, chosen, measure).count(),
            )

        assert told(robin) == (2, [2], ["sev1", "sev2"], 1, 2)
        assert told(outsider) == (1, [1], ["sev2"], 0, 1)

    def test_by_period_severity_component_and_cause(self, robin: User) -> None:
        proxy, disk = ComponentFactory.create(name="Proxy"), ComponentFactory.create(name="Disk")
        down = ComponentStatus.MAJOR_OUTAGE
        both = _past(10, components={proxy.pk: down, disk.pk: down}, corrects_history=False)
        one = _past(
            30,
            components={proxy.pk: down},
            corrects_history=False,
            severity=Severity.SEV1,
            began_at=datetime(2026, 4, 1, tzinfo=UTC),
        )
        for incident in (both, both, one):
            operations.record_root_cause(
                incident_id=incident.pk, kind=CauseKind.PROCESS, text="So", at=NOON, author=robin
            )
        chosen = queries.Chosen(
            period=queries.Period(code="2026", label="2026", since=FIRST, until=None)
        )

        def medians(groups: list[queries.Group]) -> list[tuple[str, int, object]]:
            return [
                (row.label, row.middle.count, row.middle.median and row.middle.median.low // MINUTE)
                for row in groups
            ]

        assert medians(queries.by_period(robin, chosen, Measure.RESOLVE)) == [
            ("2026 Q1", 1, 10),
            ("2026 Q2", 1, 30),
        ]
        assert medians(queries.by_severity(robin, chosen, Measure.RESOLVE)) == [
            ("SEV1: critical", 1, 30),
            ("SEV2: major", 1, 10),
        ]
        parts = Component.objects.order_by("name")
        assert medians(queries.by_component(robin, chosen, Measure.RESOLVE, parts)) == [
            ("Disk", 1, 10),
            ("Proxy", 2, 20),
        ]
        # The one with two causes of a kind counts once.
        assert medians(queries.by_cause(robin, chosen, Measure.RESOLVE)) == [
            ("Process factor", 2, 20)
        ]
        narrowed = queries.Chosen(period=ALL, component=disk.pk, cause=CauseKind.PROCESS)
        assert queries.overview(robin, narrowed).count == 1

    def test_the_last_quarters_begin_where_a_quarter_does(self, robin: User) -> None:
        _past(1, began_at=datetime(2024, 5, 1, tzinfo=UTC))

        found = queries.periods(robin, at=datetime(2026, 2, 3, 4, tzinfo=UTC))

        assert [(period.code, period.since) for period in found] == [
            ("", datetime(2025, 4, 1, tzinfo=UTC)),
            ("8q", datetime(2024, 4, 1, tzinfo=UTC)),
            ("all", None),
            ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
            ("2025", datetime(2025, 1, 1, tzinfo=UTC)),
            ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ]


class TestThePage:
    def test_shows_medians_plots_and_the_list_behind_them(self, desk: Client) -> None:
        _past(80, began_at=timezone.now() - timedelta(days=2), title="It was slow")

        page = desk.get("/desk/figures/").content.decode()

        assert "1 h 20 min" in page
        assert 'class="plot__band"' in page
        assert "It was slow" in page
        assert "style=" not in page

    def test_narrows_by_its_address_and_passes_over_what_cannot_be_meant(
        self, desk: Client
    ) -> None:
        _past(80, severity=Severity.SEV1, title="It was down")
        _past(20, severity=Severity.SEV3, title="It was slow")

        narrow = desk.get("/desk/figures/?period=all&severity=sev3").content.decode()
        wrong = desk.get(
            "/desk/figures/?period=all&severity=x&component=y&cause=z&kind=&measure=w&page=-1"
        )

        assert "It was slow" in narrow
        assert "It was down" not in narrow
        assert wrong.status_code == 200
        assert "It was down" in wrong.content.decode()

    def test_says_so_when_there_is_nothing(self, desk: Client) -> None:
        assert "No incident began" in desk.get("/desk/figures/").content.decode()
        assert "No incident fits" in desk.get("/desk/figures/?severity=sev1").content.decode()

    def test_asks_as_much_for_few_as_for_many(self, desk: Client) -> None:
        def asked(address: str) -> int:
            with CaptureQueriesContext(connection) as captured:
                assert desk.get(address).status_code == 200
            return len(captured)

        address = "/desk/figures/?period=all"
        _past(10, components={ComponentFactory.create().pk: ComponentStatus.MAJOR_OUTAGE})
        asked(address)
        few = asked(address)
        for minutes in range(1, 30):
            _past(minutes, began_at=FIRST - timedelta(days=100 * minutes))

        assert asked(address) == few <= 20

    def test_is_staffs(self, client: Client) -> None:
        for address in ("/desk/figures/", "/desk/figures/csv/"):
            assert client.get(address).status_code == 302

    def test_is_sent_as_csv_and_no_title_is_a_formula(self, desk: Client) -> None:
        _past(2, title="=HYPERLINK(1)")

        answer = desk.get("/desk/figures/csv/?period=all")
        text = b"".join(answer).decode()

        (row,) = csv.DictReader(io.StringIO(text))
        assert answer["Content-Type"].startswith("text/csv")
        assert row["title"] == "'=HYPERLINK(1)"
        assert (row["resolve_low_seconds"], row["resolve_high_seconds"]) == ("120", "120")
        assert row["detect_low_seconds"] == ""


class TestSimilarIncidents:
    def test_are_found_by_a_rare_word_and_say_why_and_what_helped(self, robin: User) -> None:
        now = _past(1, title="The quokka does not answer", author=robin)
        like = _past(60, title="A quokka lost its disk", author=robin)
        _past(60, title="Mails are late", author=robin)
        cause = operations.record_root_cause(
            incident_id=like.pk, kind=CauseKind.PRIMARY, text="It was full", at=NOON, author=robin
        )
        helped = operations.add_entry(
            incident_id=like.pk,
            text="Made room",
            when=When(at=FIRST + MINUTE),
            milestone=Milestone.MITIGATED,
            at=NOON,
            author=robin,
        )

        (found,) = queries.similar_incidents(now, user=robin)

        assert found.incident == like
        assert (found.words, found.components) == (["quokka"], [])
        assert (found.cause, found.helped) == (cause, helped)

    def test_are_found_by_a_component(self, robin: User) -> None:
        disk = ComponentFactory.create(name="Disk")
        given = {"components": {disk.pk: ComponentStatus.MAJOR_OUTAGE}, "corrects_history": False}
        now, like = _past(1, title="One", **given), _past(2, title="Two", **given)

        (found,) = queries.similar_incidents(now, user=robin)

        assert (found.incident, found.components, found.words) == (like, ["Disk"], [])

    def test_are_found_by_the_words_of_a_cause(self, robin: User) -> None:
        now, like = _past(1, title="Quokka asleep"), _past(2, title="Two")
        operations.record_root_cause(
            incident_id=like.pk, kind=CauseKind.TRIGGER, text="A quokka", at=NOON, author=robin
        )

        assert [row.incident for row in queries.similar_incidents(now, user=robin)] == [like]

    def test_words_without_meaning_make_nothing_alike(self, robin: User) -> None:
        now = _past(1, title="This was down after that")
        _past(2, title="And this was up after that")

        assert queries.similar_incidents(now, user=robin) == []

    def test_private_drills_and_duplicates_are_not_named(self, robin: User) -> None:
        now = _past(1, title="Quokka one")
        private = _past(2, title="Quokka two", visibility=Visibility.PRIVATE, author=robin)
        operations.declare_incident(
            title="Quokka drill",
            severity=Severity.SEV2,
            at=NOON,
            author=robin,
            kind=IncidentKind.DRILL,
        )
        twin = _past(3, title="Quokka three")
        operations.mark_duplicate(incident_id=twin.pk, original_id=now.pk, at=NOON, author=robin)

        assert [row.incident for row in queries.similar_incidents(now, user=robin)] == [private]
        assert queries.similar_incidents(now, user=person("olga")) == []

    def test_at_most_five_and_as_many_queries_for_few_as_for_many(self, robin: User) -> None:
        now = _past(1, title="Quokka")

        def asked() -> int:
            row = _past(2, title="Quokka")
            RootCause.objects.create(incident=row, kind="primary", text="Why", created_at=NOON)
            with CaptureQueriesContext(connection) as captured:
                queries.similar_incidents(now, user=robin)
            return len(captured)

        few = asked()
        for _time in range(7):
            many = asked()

        assert many == few
        assert len(queries.similar_incidents(now, user=robin)) == 5

    def test_hostile_words_are_words(self, robin: User) -> None:
        now = _past(1, title="' & | ! <-> :* \\ 'quokka'' %s $1 {x}")
        like = _past(2, title="quokka")

        assert [row.incident for row in queries.similar_incidents(now, user=robin)] == [like]

    def test_stand_on_a_page_and_on_that_of_the_incident(
        self, desk: Client, responder: User
    ) -> None:
        now, like = _past(1, title="Quokka <b>"), _past(2, title="Quokka asleep")

        page = desk.get(f"/desk/incidents/{now.pk}/similar/").content.decode()
        fragment = desk.get(f"/desk/incidents/{now.pk}/similar/live/").content.decode()

        assert like.ref in page
        assert "Words in both: quokka." in fragment
        assert (
            f"/desk/incidents/{now.pk}/similar/live/"
            in desk.get(now.get_absolute_url()).content.decode()
        )
        assert desk.get("/desk/incidents/999999/similar/").status_code == 404
