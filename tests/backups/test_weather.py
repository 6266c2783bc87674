"""Saturation windows: found, kept over time, declared, and reckoned with."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups import operations, queries, tasks
from backups.models import (
    Backup,
    BackupPolicy,
    LossForecast,
    ProbeKind,
    SaturationWindow,
    StorageLocation,
    StorageMeasurement,
    StorageProbe,
    WindowSource,
)
from backups.queries.weather import advice, windows_of
from backups.runner.history import history_of
from backups.runner.windows import look_for_windows, storages_to_look_at
from tests.backups.factories import BackupFactory, DatabaseFactory, StorageLocationFactory
from tests.factories import HOUR, MINUTE, ResponderFactory

pytestmark = pytest.mark.django_db

DAY = 24 * HOUR
NOON = datetime(2026, 2, 2, 12, 0, tzinfo=UTC)
INVALID = 422


@pytest.fixture
def location() -> StorageLocation:
    made: StorageLocation = StorageLocationFactory.create(name="cellar")
    return made


def probe_each_hour(
    location: StorageLocation,
    since: datetime,
    until: datetime,
    slower: Callable[[datetime], float] = lambda at: 4.0 if at.hour < 6 else 1.0,
) -> None:
    rows = []
    at = since
    while at < until:
        seconds = 0.01 * slower(at) * (1 + at.day % 3 / 20)
        rows.append(
            StorageProbe(
                location=location, at=at, kind=ProbeKind.RANGE, bytes=262_144, seconds=seconds,
                first_byte_seconds=seconds / 2,
            )
        )  # fmt: skip
        at += HOUR
    StorageProbe.objects.bulk_create(rows)


def declared(location: StorageLocation, **fields: Any) -> SaturationWindow:
    given: dict[str, Any] = {
        "from_minute": 0,
        "until_minute": 360,
        "slower": 4.0,
        "since_at": NOON - 30 * DAY,
    }
    return operations.declare_window(location_id=location.pk, at=NOON, **(given | fields))


def detected() -> list[SaturationWindow]:
    return list(SaturationWindow.objects.filter(source=WindowSource.DETECTED).order_by("since_at"))


class TestDetected:
    def test_is_kept_with_since_when(self, location: StorageLocation) -> None:
        probe_each_hour(location, NOON - 30 * DAY, NOON)

        assert look_for_windows(location_id=location.pk, at=NOON)

        (row,) = detected()
        assert (row.from_minute, row.until_minute, row.until_at) == (0, 360, None)
        assert row.slower == pytest.approx(4, rel=0.1)

    def test_is_looked_for_once_a_day_by_one_of_two(self, location: StorageLocation) -> None:
        assert storages_to_look_at(at=NOON) == [location.pk]

        assert look_for_windows(location_id=location.pk, at=NOON)
        assert not look_for_windows(location_id=location.pk, at=NOON)
        assert storages_to_look_at(at=NOON + HOUR) == []
        assert storages_to_look_at(at=NOON + DAY) == [location.pk]

    def test_is_not_put_off_by_a_clock_that_ran_ahead(self, location: StorageLocation) -> None:
        look_for_windows(location_id=location.pk, at=NOON + 30 * DAY)

        assert storages_to_look_at(at=NOON) == [location.pk]

    def test_keeps_its_row_and_its_first_day_for_months(self, location: StorageLocation) -> None:
        begin = NOON - 30 * DAY
        probe_each_hour(location, begin, NOON + 90 * DAY)

        for weeks in range(0, 13, 2):
            look_for_windows(location_id=location.pk, at=NOON + weeks * 7 * DAY)

        (row,) = detected()
        assert row.since_at - begin < 2 * DAY

    def test_ends_when_it_is_not_seen_any_more(self, location: StorageLocation) -> None:
        until = NOON - 6 * DAY
        probe_each_hour(location, NOON - 30 * DAY, until)
        look_for_windows(location_id=location.pk, at=until)
        probe_each_hour(location, until, NOON, slower=lambda _at: 1.0)

        look_for_windows(location_id=location.pk, at=NOON)

        (row,) = detected()
        assert row.until_at is not None
        assert abs(row.until_at - until) < DAY
        assert windows_of([location.pk], at=NOON)[location.pk] == []

    def test_stays_while_nobody_looked(self, location: StorageLocation) -> None:
        probe_each_hour(location, NOON - 30 * DAY, NOON)
        look_for_windows(location_id=location.pk, at=NOON)

        look_for_windows(location_id=location.pk, at=NOON + 80 * DAY)

        (row,) = detected()
        assert row.until_at is None

    def test_that_comes_back_later_is_another(self, location: StorageLocation) -> None:
        begin = NOON - 60 * DAY
        probe_each_hour(
            location, begin, NOON,
            slower=lambda at: 4.0
            if at.hour < 6 and not begin + 20 * DAY < at < begin + 45 * DAY else 1.0,
        )  # fmt: skip

        look_for_windows(location_id=location.pk, at=NOON)

        assert [row.until_at is None for row in detected()] == [False, True]

    def test_of_what_fetches_measured(self, location: StorageLocation) -> None:
        at = NOON - 14 * DAY
        while at < NOON:
            StorageMeasurement.objects.create(
                location=location, measured_at=at, seconds=60, requests=100, errors=0,
                bytes=60e6 * (10 if 2 <= at.hour < 5 else 50),
            )  # fmt: skip
            at += HOUR

        look_for_windows(location_id=location.pk, at=NOON)

        (row,) = detected()
        assert (row.from_minute, row.until_minute) == (120, 300)

    def test_refused_keys_are_no_weather(self, location: StorageLocation) -> None:
        probe_each_hour(location, NOON - 20 * DAY, NOON, slower=lambda _at: 1.0)
        StorageProbe.objects.filter(at__hour__lt=6).update(error="denied")

        look_for_windows(location_id=location.pk, at=NOON)

        assert detected() == []

    def test_by_the_beat(self, location: StorageLocation) -> None:
        now = timezone.now()
        probe_each_hour(location, now - 20 * DAY, now)

        tasks.look_for_windows()
        tasks.look_for_windows()

        assert len(detected()) == 1


class TestDeclared:
    def test_is_reckoned_with_at_once(self, location: StorageLocation) -> None:
        declared(location, tz="Europe/Amsterdam", note="their notice")

        (window,) = windows_of([location.pk], at=NOON)[location.pk]
        assert window.words == (
            "every day 00:00–06:00 Europe/Amsterdam, 4 × slower, since 3 January 2026"
        )

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"tz": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
            ({"tz": "+01:00"}, "no time zone"),
            ({"until_minute": 0}, "same time"),
            ({"from_minute": 1440}, "Correct it"),
            ({"weekdays": [0]}, "Weekdays go from 1"),
            ({"slower": 0.5}, "factor of 1 or more"),
            ({"error_share": 1.5}, "between 0 and 100 %"),
        ],
    )
    def test_that_cannot_be_is_refused(
        self, location: StorageLocation, fields: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(operations.WindowNotKept, match=words):
            declared(location, **fields)

        assert not SaturationWindow.objects.exists()

    def test_is_over_once(self, location: StorageLocation) -> None:
        row = declared(location)

        operations.end_window(window_id=row.pk, at=NOON)

        assert windows_of([location.pk], at=NOON)[location.pk] == []
        with pytest.raises(operations.WindowIsOver):
            operations.end_window(window_id=row.pk, at=NOON + HOUR)
        with pytest.raises(queries.NotRegistered):
            operations.end_window(window_id=row.pk + 1, at=NOON)

    def test_and_measured_is_told_once_with_the_figures(self, location: StorageLocation) -> None:
        declared(location, slower=None)
        probe_each_hour(location, NOON - 30 * DAY, NOON)
        look_for_windows(location_id=location.pk, at=NOON)

        (window,) = windows_of([location.pk], at=NOON)[location.pk]

        assert window.slower == pytest.approx(4, rel=0.1)


class TestReckoned:
    def test_an_estimate_knows_those_of_the_last_weeks(self, location: StorageLocation) -> None:
        database = DatabaseFactory.create(storage=location)
        declared(location)
        over = declared(location, from_minute=720, until_minute=780, since_at=NOON - 90 * DAY)
        long_over = declared(location, from_minute=800, until_minute=900, since_at=NOON - 90 * DAY)
        SaturationWindow.objects.filter(pk=over.pk).update(until_at=NOON - 10 * DAY)
        SaturationWindow.objects.filter(pk=long_over.pk).update(until_at=NOON - 80 * DAY)

        history = history_of(database.pk, place_id=location.pk, target_id=None, at=NOON)

        assert [window.from_minute for window in history.windows] == [0, 720]


class TestAdvice:
    @pytest.fixture
    def backup(self, location: StorageLocation) -> Backup:
        database = DatabaseFactory.create(storage=location)
        made: Backup = BackupFactory.create(
            database=database, began_at=NOON - 12 * HOUR, ended_at=NOON - 10 * HOUR
        )
        return made

    def plan(self, backup: Backup, schedule: str) -> None:
        BackupPolicy.objects.create(
            database=backup.database, full_schedule=schedule, created_at=NOON
        )

    def test_names_backups_that_run_into_a_window(
        self, location: StorageLocation, backup: Backup
    ) -> None:
        declared(location)
        self.plan(backup, "30 22 * * *")

        (words,) = advice(backup.database, NOON)

        assert "7 of the 7 of the next week run into" in words
        assert "every day 00:00–06:00 UTC" in words
        assert words.endswith("Plan them for other hours.")

    def test_is_silent_of_those_that_do_not(
        self, location: StorageLocation, backup: Backup
    ) -> None:
        declared(location)
        self.plan(backup, "0 12 * * *")

        assert advice(backup.database, NOON) == []

    def test_names_restores_that_can_hardly_miss_one(
        self, location: StorageLocation, backup: Backup
    ) -> None:
        declared(location)
        LossForecast.objects.create(
            database=backup.database, at=NOON - MINUTE, low_seconds=30_000,
            middle_seconds=36_000, high_seconds=50_000, plan_words="the last backup",
        )  # fmt: skip

        (words,) = advice(backup.database, NOON)

        assert words.startswith("A restore takes about 10 h 00 min")

    def test_a_short_one_may_meet_a_long_window_unless_a_copy_has_none(
        self, location: StorageLocation, backup: Backup
    ) -> None:
        declared(location)
        LossForecast.objects.create(
            database=backup.database, at=NOON - MINUTE, low_seconds=1800,
            middle_seconds=5400, high_seconds=7200, plan_words="the last backup",
        )  # fmt: skip

        (words,) = advice(backup.database, NOON)

        assert "29% of them" in words
        backup.database.copies.add(StorageLocationFactory.create())
        assert advice(backup.database, NOON) == []

    def test_has_nothing_to_say_where_no_window_is_known(self, backup: Backup) -> None:
        self.plan(backup, "30 22 * * *")

        assert advice(backup.database, NOON) == []


class TestCommands:
    def test_declare_and_end_a_window(self, location: StorageLocation) -> None:
        out = StringIO()
        call_command(
            "declare_window", "cellar", "00:00", "06:00", "--zone=Europe/Amsterdam", "--weekday=1",
            "--slower=4", "--errors=11", "--since=2026-01-03", stdout=out,
        )  # fmt: skip
        (row,) = SaturationWindow.objects.all()
        call_command("storage_weather", "cellar", stdout=out)
        call_command("end_window", row.pk, stdout=out)

        lines = out.getvalue().splitlines()
        words = "every Monday 00:00–06:00 Europe/Amsterdam, 4 × slower, 11 % errors, since 3 Janua"
        assert lines[0].startswith(f"Window {row.pk} of cellar: {words}")
        assert lines[1].startswith(f"{row.pk}: {words}")
        assert lines[1].endswith("(declared by the provider)")
        assert lines[2].startswith("Nothing reckons with it any more: every Monday")

    def test_look_at_what_was_measured(self, location: StorageLocation) -> None:
        now = timezone.now()
        probe_each_hour(location, now - 20 * DAY, now)
        out = StringIO()

        call_command("storage_weather", "cellar", "--look", stdout=out)

        assert "4 × slower" in out.getvalue()
        assert "(detected)" in out.getvalue()

    def test_say_what_is_wrong(self, location: StorageLocation) -> None:
        with pytest.raises(CommandError, match="no time of day"):
            call_command("declare_window", "cellar", "25:00", "06:00")
        with pytest.raises(CommandError, match="There is no storage location named"):
            call_command("storage_weather", "attic")


class TestTheDesk:
    @pytest.fixture
    def desk(self, client: Client) -> Client:
        client.force_login(ResponderFactory.create())
        return client

    @pytest.fixture
    def address(self, location: StorageLocation) -> str:
        return reverse("backups:location-weather", args=[location.pk])

    def test_is_for_staff(self, client: Client, address: str) -> None:
        assert client.get(address).status_code == 302
        assert client.post(address).status_code == 302

    def test_says_what_to_do_before_anything_was_measured(self, desk: Client, address: str) -> None:
        page = desk.get(address).content.decode()

        assert "It was never probed" in page
        assert "Nothing was measured yet" in page
        assert "None is known" in page

    def test_shows_the_week_with_a_twin_in_words(
        self, desk: Client, address: str, location: StorageLocation
    ) -> None:
        now = timezone.now()
        probe_each_hour(location, now - 21 * DAY, now)

        page = desk.get(address).content.decode()

        assert page.count('class="heat__cell') == 168
        assert page.count('class="heat__cell is-level-3"') == 7 * 6
        assert "very slow, 6.2 MB/s, first byte after 21 ms" in page
        assert "style=" not in page.partition("<main")[2]

    def test_takes_a_declaration(
        self, desk: Client, address: str, location: StorageLocation
    ) -> None:
        answer = desk.post(
            address,
            {"begins": "22:00", "ends": "00:00", "tz": "Europe/Amsterdam", "weekdays": ["6", "7"],
             "slower": "3", "errors_percent": "10", "note": "their mail"},
        )  # fmt: skip

        assert answer.status_code == 302
        (row,) = SaturationWindow.objects.all()
        assert (row.from_minute, row.until_minute, row.weekdays) == (1320, 1440, [6, 7])
        assert row.error_share == pytest.approx(0.1)
        assert "Saturday and Sunday 22:00–24:00" in desk.get(address).content.decode()

    def test_refuses_one_that_cannot_be(self, desk: Client, address: str) -> None:
        answer = desk.post(address, {"begins": "01:00", "ends": "01:00", "tz": "UTC"})

        assert answer.status_code == INVALID
        assert "begins and ends at the same time" in answer.content.decode()

    def test_ends_a_window(self, desk: Client, address: str, location: StorageLocation) -> None:
        row = declared(location)

        desk.post(reverse("backups:window-end", args=[row.pk]))

        row.refresh_from_db()
        assert row.until_at is not None
        assert "It is over" not in desk.get(address).content.decode()

    def test_sets_the_zone(self, desk: Client, location: StorageLocation) -> None:
        address = reverse("backups:location-zone", args=[location.pk])

        assert desk.post(address, {"tz": "Europe/Amsterdam"}).status_code == 302
        assert desk.post(address, {"tz": "nowhere"}).status_code == INVALID

        location.refresh_from_db()
        assert location.tz == "Europe/Amsterdam"

    def test_has_a_probe_sent(
        self,
        desk: Client,
        location: StorageLocation,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        sent: list[dict[str, Any]] = []
        monkeypatch.setattr(tasks.probe_storage, "delay", lambda **words: sent.append(words))

        with django_capture_on_commit_callbacks(execute=True):
            desk.post(reverse("backups:location-probe", args=[location.pk]))

        assert sent == [{"location_id": location.pk, "is_asked_for": True}]

    def test_leads_from_the_list(self, desk: Client, address: str) -> None:
        assert address in desk.get(reverse("backups:location-list")).content.decode()
