"""The dashboard and a database's readiness: what is shown, in how many questions."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backups import queries, runner
from backups.models import BackupCheck, CheckState, JobState, LossForecast
from tests.backups.factories import BackupFactory, DatabaseFactory, RestoreJobFactory
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db


def test_nobody_but_staff_reads_it(client: Client) -> None:
    database = DatabaseFactory.create()

    for path in ("/desk/backups/", f"/desk/databases/{database.pk}/readiness/"):
        assert client.get(path).status_code == 302


def test_an_empty_one_says_what_to_do(admin_client: Client) -> None:
    page = admin_client.get("/desk/backups/").content.decode()

    assert "No database is registered" in page
    assert "manage.py register_database --help" in page


def test_the_worst_stands_first_and_unlooked_at_is_unknown(admin_client: Client) -> None:
    well, bad, unseen = (DatabaseFactory.create(name=name) for name in ("a", "b", "c"))
    for database, state in ((well, CheckState.OK), (bad, CheckState.CRITICAL)):
        BackupCheck.objects.create(
            database=database, name="DRILL", state=state, since_at=NOON, looked_at=NOON,
            words="It failed.", advice="Hold it again.",
        )  # fmt: skip

    lines = queries.readiness(at=NOON)

    assert [(line.database, line.state) for line in lines] == [
        (bad, CheckState.CRITICAL),
        (unseen, CheckState.UNKNOWN),
        (well, CheckState.OK),
    ]
    page = admin_client.get("/desk/backups/").content.decode()
    assert page.index("It failed.") < page.index(">c</a>")


def test_if_lost_now_is_the_first_figure_and_late_beyond_the_objective(
    admin_client: Client,
) -> None:
    database = DatabaseFactory.create()
    LossForecast.objects.create(
        database=database, at=timezone.now(), loss_seconds=600, low_seconds=7200,
        middle_seconds=9000, high_seconds=10_800, plan_words="To the latest.",
        time_objective_seconds=3600,
    )  # fmt: skip

    page = admin_client.get("/desk/backups/").content.decode()

    assert "10 min of data lost, back in 2 h 00 min to 3 h 00 min" in page
    assert queries.readiness(at=timezone.now())[0].is_beyond


def test_one_that_is_being_restored_says_so_with_the_way_there(admin_client: Client) -> None:
    database = DatabaseFactory.create()
    LossForecast.objects.create(database=database, at=timezone.now(), plan_words="Nothing free.")
    pages = "/desk/backups/", f"/desk/databases/{database.pk}/readiness/"
    drill = RestoreJobFactory.create(database=database, is_scratch=True)
    for page in pages:
        assert "no way back" in admin_client.get(page).content.decode()
    drill.delete()

    restore = RestoreJobFactory.create(database=database)

    for page in pages:
        shown = admin_client.get(page).content.decode()
        assert f'href="/desk/restores/{restore.pk}/">being restored' in shown
        assert "no way back" not in shown
    type(restore).objects.update(state=JobState.CANCELLED, ended_at=timezone.now())
    assert queries.readiness(at=NOON)[0].restore is None


def test_what_nobody_looked_at_of_late_is_not_ok(admin_client: Client) -> None:
    database = DatabaseFactory.create()
    BackupCheck.objects.create(
        database=database, name="DRILL", state=CheckState.OK, since_at=NOON, looked_at=NOON,
        words="It passed.",
    )  # fmt: skip
    LossForecast.objects.create(
        database=database, at=NOON, loss_seconds=600, low_seconds=1, middle_seconds=2,
        high_seconds=3, plan_words="To the latest.",
    )  # fmt: skip

    [then] = queries.readiness(at=NOON)
    [later] = queries.readiness(at=NOON + 2 * HOUR)

    assert (then.state, then.lost_words) == (CheckState.OK, "10 min")
    assert (later.state, later.lost_words) == (CheckState.UNKNOWN, "")
    page = admin_client.get("/desk/backups/").content.decode()
    assert "Last looked at" in page
    assert "not known" in page


def test_costs_as_many_questions_with_many_databases(
    admin_client: Client, django_assert_num_queries: Any
) -> None:
    def fill() -> None:
        backup = BackupFactory.create()
        runner.check_database(database_id=backup.database_id, at=timezone.now())

    fill()
    with django_assert_num_queries(6):
        queries.readiness(at=NOON)
    for _number in range(4):
        fill()
    with django_assert_num_queries(6):
        queries.readiness(at=NOON)


def test_readiness_tells_checks_with_what_to_do_and_draws_what_is_known(
    admin_client: Client,
) -> None:
    backup = BackupFactory.create()
    database = backup.database
    runner.check_database(database_id=database.pk, at=timezone.now())
    for hours in (3, 2, 1):
        LossForecast.objects.create(
            database=database, at=timezone.now() - hours * HOUR, loss_seconds=hours * 60,
            low_seconds=10, middle_seconds=20, high_seconds=30, plan_words="To the latest.",
        )  # fmt: skip

    page = admin_client.get(f"/desk/databases/{database.pk}/readiness/").content.decode()

    assert "What to do:" in page
    assert page.count('class="plot"') == 2
    assert "1 min of data lost, back in 10 s to 30 s." in page
    assert "style=" not in page


def test_look_now_asks_every_check(admin_client: Client) -> None:
    database = DatabaseFactory.create()

    answer = admin_client.post(f"/desk/databases/{database.pk}/readiness/look/", follow=True)

    assert "checks not ok." in answer.content.decode()
    looked = BackupCheck.objects.filter(looked_at__gt=timezone.now() - timedelta(minutes=1))
    assert looked.count() == database.backup_checks.count() > 10
