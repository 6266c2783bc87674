"""The days before a loss: slow nights, a workaround, a drill that is overdue, and each is said."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from backups import operations, queries, runner
from backups.models import (
    Backup,
    BackupCheck,
    BackupJob,
    CheckState,
    Database,
    Drill,
    DrillState,
    JobState,
    LossForecast,
    ObjectReading,
    PolicyChange,
    ProbeKind,
    ReadingState,
    RecoveryTarget,
    RestoreJob,
    StorageMeasurement,
    StorageProbe,
)
from backups.models import BackupCheckName as Name
from backups.options import Range
from backups.options.terms import Named
from backups.options.words import brief_range
from backups.runbook import as_markdown
from incidents.models import ActionItem, NoticeChannel, TimelineEntry
from notifications.models import Channel, Delivery
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, MINUTE, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
GB = 10**9
HERE = ZoneInfo("Europe/Berlin")
OK, WARNING, CRITICAL = CheckState.OK, CheckState.WARNING, CheckState.CRITICAL
# What the cluster holds, and what it writes in a day: whole, and as it is stored.
STORED, CLUSTER = 80 * GB, 200 * GB
SEGMENTS, LOG = 3750, 25 * GB
# How long each part took in a drill, and of how much.
MEASURED = {
    "PLAN": (10, 0, ""),
    "FETCH": (1200, STORED + LOG, "bytes"),
    "UNPACK": (600, STORED, "bytes"),
    "REPLAY": (3900, SEGMENTS * 2**24, "bytes"),
    "VERIFY": (1200, 3 * CLUSTER, "bytes"),
    "READY": (10, 0, ""),
}


def on(day: int, hour: int = 0, minute: int = 0, *, month: int = 1, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=HERE).astimezone(UTC)


SLOW_SINCE = on(3)
# How quick the storage answers, by the quarter of an hour.
_NOISE = (0.98, 1.0, 1.02, 1.0)


@dataclass
class Days:
    """A database as it lives: backups are taken, the log grows, the storage is probed.

    What the workers would do to storage and machines is written down as they would have; all else
    is what beat calls.
    """

    database: Database
    at: datetime
    dice: Random = field(default_factory=lambda: Random(11))
    # In slow hours; every ninth is refused.
    asked: int = 0

    def live(self, until: datetime, *, every: timedelta = 4 * HOUR) -> None:
        while self.at < until:
            before, self.at = self.at, min(self.at + every, until)
            self._probe(before, self.at)
            self._take()
            self._archive()
            RecoveryTarget.objects.update(probed_at=self.at)
            self._beat()

    def _beat(self) -> None:
        at = self.at
        for location_id in runner.storages_to_look_at(at=at):
            runner.look_for_windows(location_id=location_id, at=at)
        runner.begin_due_drills(at=at)
        runner.hang_reviews(at=at)
        runner.forecast_losses(at=at)
        runner.check_databases(at=at)
        runner.follow_findings(at=at)
        runner.begin_due_backups(at=at)

    def _probe(self, since: datetime, until: datetime) -> None:
        """Ask each quarter of an hour; since the third of January the nights are slow."""
        rows = []
        moment = since + 15 * MINUTE
        while moment <= until:
            is_bad = moment >= SLOW_SINCE and moment.astimezone(HERE).hour < 6
            for kind, size in ((ProbeKind.GET, 1000), (ProbeKind.RANGE, 262_144)):
                seconds = 0.02 * (4 if is_bad else 1) * _NOISE[moment.minute // 15]
                self.asked += is_bad
                has_failed = is_bad and self.asked % 9 == 0
                rows.append(
                    StorageProbe(
                        location=self.database.storage, at=moment, kind=kind, seconds=seconds,
                        first_byte_seconds=None if has_failed else seconds / 2,
                        bytes=0 if has_failed else size, error="slow-down" if has_failed else "",
                        clock_ahead_seconds=0.2,
                    )
                )  # fmt: skip
            moment += 15 * MINUTE
        StorageProbe.objects.bulk_create(rows)

    def _take(self) -> None:
        """Take the backups that are queued, as a worker does."""
        for job in BackupJob.objects.filter(database=self.database, state=JobState.QUEUED):
            is_bad = job.queued_at >= SLOW_SINCE and job.queued_at.astimezone(HERE).hour < 6
            took = self.dice.uniform(18, 22) * MINUTE * (4 if is_bad else 1)
            full(self.database, job.queued_at, took=took, label=job.label)
            job.state, job.ended_at = JobState.SUCCEEDED, job.queued_at + took
            job.save()

    def _archive(self) -> None:
        """Read the archive: the log leads on from every backup until two minutes ago."""
        until = self.at - 2 * MINUTE
        rows = list(Backup.objects.filter(database=self.database))
        for row in rows:
            days = (until - row.ended_at) / DAY
            row.reaches_until_at = until
            row.log_segments, row.log_bytes = round(days * SEGMENTS), round(days * LOG)
        Backup.objects.bulk_update(rows, ["reaches_until_at", "log_segments", "log_bytes"])
        ObjectReading.objects.update_or_create(
            database=self.database, location=self.database.storage, key="tours/data.tar",
            defaults={"size": STORED, "state": ReadingState.SOUND, "read_at": self.at},
        )  # fmt: skip
        Database.objects.filter(pk=self.database.pk).update(
            synced_at=self.at,
            latest_restorable_at=until,
            earliest_restorable_at=min(row.ended_at for row in rows),
        )

    def found(self, name: Name) -> BackupCheck:
        row: BackupCheck = self.database.backup_checks.get(name=name)
        assert row.looked_at == self.at
        return row

    def told(self, name: Name) -> list[str]:
        """Return the subjects of what staff were told of one check, in their order."""
        rows = Delivery.objects.filter(
            message__body__contains=f"{self.database}: {name.called(CheckState.WARNING)}:"
        )
        return list(rows.order_by("pk").values_list("message__subject", flat=True))

    def newest(self) -> Backup:
        backup: Backup = Backup.objects.filter(database=self.database).newest_first()[0]
        return backup

    def loss(self) -> LossForecast:
        row = queries.losses_now()[self.database.pk]
        assert row.at == self.at - (self.at - on(1)) % (5 * MINUTE)
        return row


def back(loss: LossForecast) -> Range:
    assert loss.low_seconds is not None
    assert loss.middle_seconds is not None
    assert loss.high_seconds is not None
    return Range(loss.low_seconds, loss.middle_seconds, loss.high_seconds)


def full(database: Database, began_at: datetime, *, took: timedelta, label: str) -> Backup:
    backup: Backup = BackupFactory.create(
        database=database, label=label, began_at=began_at, ended_at=began_at + took,
        stored_bytes=STORED, cluster_bytes=CLUSTER, has_manifest=True,
    )  # fmt: skip
    return backup


def held(database: Database, target: RecoveryTarget, at: datetime) -> Drill:
    """Write a drill down that was held, with what each part of it took."""
    job = RestoreJobFactory.create(
        database=database, target=target, requested_at=at, queued_at=at, is_scratch=True
    )
    moment = at
    for phase, (seconds, done, unit) in MEASURED.items():
        ends = moment + timedelta(seconds=seconds)
        job.steps.create(phase=phase, began_at=moment, ended_at=ends, done=done, unit=unit)
        moment = ends
    RestoreJob.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, ended_at=moment)
    fetched = timedelta(seconds=MEASURED["FETCH"][0])
    StorageMeasurement.objects.bulk_create(
        StorageMeasurement(
            location=database.storage, measured_at=at + number * fetched / 20,
            seconds=fetched.total_seconds() / 20, bytes=(STORED + LOG) // 20, requests=300,
            errors=0, first_byte_seconds=0.02,
        )
        for number in range(20)
    )  # fmt: skip
    return Drill.objects.create(
        database=database, target=target, restore=job, state=DrillState.PASSED, requested_at=at,
        ended_at=moment + 5 * MINUTE, measured_seconds=(moment - at).total_seconds(),
    )  # fmt: skip


@pytest.fixture
def days() -> Days:
    storage = StorageLocationFactory.create(name="Nuremberg", tz="Europe/Berlin")
    database = DatabaseFactory.create(name="tours", storage=storage, port=5999)
    ready = {"free_bytes": 3000 * GB, "server_version": 170010, "write_bytes_per_second": 8e8}
    RecoveryTargetFactory.create(name="standby", host="10.0.0.7", **ready)
    scratch = RecoveryTargetFactory.create(name="scratch", host="10.0.0.8", **ready)
    begins = on(19, 2, month=12, year=2025)
    for month, day in ((10, 1), (11, 1), (12, 1)):
        held(database, scratch, on(day, 10, month=month, year=2025))
    for ago in range(6, 0, -1):
        full(
            database, begins - HOUR - (ago - 1) * DAY, took=20 * MINUTE, label=f"night-{ago}"
        )  # fmt: skip
    NoticeChannel.objects.create(
        name="operators", channel=Channel.EMAIL, address="ops@example.org", created_at=begins
    )
    operations.change_policy(
        database_id=database.pk,
        changes={
            "tz": "Europe/Berlin",
            "full_schedule": "0 2 * * *",
            "may_lose": 15 * MINUTE,
            "back_within": 4 * HOUR,
            "drill_schedule": "0 10 1 * *",
            "drill_target": Named(id=scratch.pk, name=scratch.name),
        },
        why="Agreed with the team.",
        by=ResponderFactory.create(),
        at=begins,
    )
    return Days(database, begins)


def test_the_days_before(days: Days, client: Client) -> None:
    # Somebody's trial lies on the machine for drills, paused and forgotten.
    RestoreJobFactory.create(
        database=days.database, target=RecoveryTarget.objects.get(name="scratch"),
        state=JobState.PAUSED, is_scratch=True,
    )  # fmt: skip

    two_good_weeks(days)
    slow_nights(days)
    change = a_workaround(days)
    it_is_said_from_day_to_day(days)
    it_comes_back(days, change)
    no_drill_was_held(days)
    the_cluster_dies(days, client)


def two_good_weeks(days: Days) -> None:
    days.live(on(1, 2), every=DAY)

    states = {row.name: row.state for row in days.database.backup_checks.all()}
    # Nothing but that there is no copy in a second place.
    assert {name for name, state in states.items() if state != OK} == {Name.REPLICA}
    assert queries.window_rows(days.database.storage_id) == []
    assert back(days.loss()).high < (4 * HOUR).total_seconds()


def slow_nights(days: Days) -> None:
    days.live(on(5, 2), every=DAY)
    days.live(on(6, 10))

    ((_row, window),) = queries.window_rows(days.database.storage_id)
    assert window.words == (
        "every day 00:00–06:00 Europe/Berlin, 4 × slower, 11 % errors, since 3 January 2026"
    )
    found = days.found(Name.WEATHER)
    assert found.state == WARNING
    assert window.words in found.words
    assert "Full backups begin every day at 02:00 (Europe/Berlin): 7 of the 7" in found.advice
    assert "Plan them for other hours." in found.advice
    assert days.found(Name.DURATION).state == WARNING
    assert days.told(Name.WEATHER) == ["[SEV4] tours: the storage gives less when it is needed"]


def a_workaround(days: Days) -> PolicyChange:
    """Daily becomes weekly, away from the night: what that means is known before it is saved."""
    database, asked = days.database, {"full_schedule": "0 12 * * FRI"}

    seen = operations.preview_policy(database_id=database.pk, changes=asked, at=days.at)

    words = seen.effect.words
    assert words.startswith("daily → weekly fulls: replay grows from 1 to 7 days, back in ")
    assert "beyond your RTO of 4 h" in words
    assert list(seen.effect.breaks) == ["Beyond the 4 h to be back"]
    change = operations.change_policy(
        database_id=database.pk,
        changes=asked,
        why="The nights are slow; the provider works on it.",
        by=ResponderFactory.create(),
        at=days.at,
        based_on=seen.version,
        review_on=date(2026, 1, 11),
        incident_id=IncidentFactory.create(title="Nights at Nuremberg are slow").pk,
    )
    assert change.effect_words == words
    return change


def it_is_said_from_day_to_day(days: Days) -> None:
    days.live(on(6, 14))

    found = days.found(Name.POLICY)
    assert found.state == WARNING
    assert "A workaround stands until 2026-01-11: The nights are slow" in found.words
    assert "replay of up to 7 days of log" in found.words
    assert "beyond your RTO of 4 h" in found.words
    # Backups have left the window, but a loss may fall into any hour.
    assert days.found(Name.WEATHER).state == WARNING
    assert "Keep a copy at another provider" in days.found(Name.WEATHER).advice

    days.live(on(9, 10))

    rows = {row.at: row for row in queries.losses_since(days.database.pk, since=on(6))}
    middles = [back(rows[on(day, 10)]).middle for day in (6, 7, 8, 9)]
    assert middles == sorted(middles)
    assert middles[-1] > 3 * middles[0]
    found = days.found(Name.FORECAST)
    assert found.state != OK
    assert "it has to be back within 4 h 00 min" in found.words
    assert days.told(Name.POLICY) == ["[SEV4] tours: the policy does not stand, or a review is due"]
    assert "[SEV4] tours: it would not be back within the objective" in days.told(Name.FORECAST)


def it_comes_back(days: Days, change: PolicyChange) -> None:
    """Take the weekly full backup; two days later the workaround's day has come."""
    days.live(on(9, 12))
    days.live(on(10, 23, 50))
    assert days.found(Name.FULL_FRESH).state == OK
    assert days.found(Name.POLICY).state == WARNING
    assert change.action is not None
    assert not change.action.is_overdue(at=days.at)

    # The day begins in Berlin an hour before it does in UTC.
    days.live(on(11, 0, 5))
    days.live(on(11, 0, 15))

    found = days.found(Name.POLICY)
    assert found.state == CRITICAL
    assert "was to be looked at again on 2026-01-11: The nights are slow" in found.words
    assert "daily → weekly fulls" in found.advice
    days.live(on(11, 12))
    _first, grave, *reminders = days.told(Name.POLICY)
    assert grave == "[SEV2] tours: the policy does not stand, or a review is due"
    assert reminders == [f"Still so: {grave}"] * 2
    item = ActionItem.objects.get(pk=change.action.pk)
    assert item.is_overdue(at=days.at + DAY)
    assert "Review the workaround in the backup policy of tours" in item.text


def no_drill_was_held(days: Days) -> None:
    found = days.found(Name.DRILL)
    assert found.state == WARNING
    assert "one was due after 32 d" in found.words
    first, again = days.told(Name.DRILL)
    assert first == "[SEV4] tours: no recent drill proves what would be restored"
    # A week later, and what else is still so in the same message.
    assert again.startswith("Still so: [SEV4] ")


def the_cluster_dies(days: Days, client: Client) -> None:
    database, responder = days.database, ResponderFactory.create()
    days.live(on(12, 0, 14))
    incident = IncidentFactory.create(title="Tours do not open", started_at=days.at)

    # What it costs is known at once, and by which way.
    loss, board = days.loss(), operations.recovery_options(database_id=database.pk, at=days.at)
    best = board.recommended
    assert best is not None
    assert (best.code, best.backup.name) == (loss.plan_code, days.newest().label)
    assert best.seconds == back(loss)
    assert loss.loss_seconds == 120
    assert "in Nuremberg to standby" in loss.plan_words
    assert {"over-rto", "saturation-ahead"} <= {risk.code for risk in best.risks}
    assert queries.readiness(at=days.at)[0].is_beyond
    runbook = as_markdown(queries.runbook_of(database, at=days.at))
    assert "By the last drill**: 1 h 55 min" in runbook
    assert f"By the forecast**: {brief_range(best.seconds)}, from 3 earlier restores" in runbook

    job = operations.choose_option(
        database_id=database.pk, code=best.code, reasons="Nothing is quicker.", by=responder,
        at=days.at, incident_id=incident.pk, by_worker=False,
    )  # fmt: skip

    decided = TimelineEntry.objects.get(incident=incident, text__startswith="Decided to restore.")
    assert f"expected in {queries.back_words(loss)}" in decided.text
    days.live(days.at + 10 * MINUTE)
    assert f"{job} uses standby" in days.loss().plan_words
    client.force_login(responder)
    page = client.get("/desk/backups/").content.decode()
    assert f'href="/desk/restores/{job.pk}/">being restored' in page
    assert "no way back" not in page
