"""Figures for Prometheus: what they say, who may read them, and that the rules know their names."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from backups import metrics, runner
from backups.models import Drill, DrillState, LossForecast, ReplicaState, StorageProbe
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

RULES = Path("deploy/prometheus/highwater.rules.yml")


# Labels stand in the order of their names.
def samples() -> dict[str, dict[tuple[str, ...], float]]:
    text = metrics.exposition(at=NOON).decode()
    return {
        family.name: {tuple(each.labels.values()): each.value for each in family.samples}
        for family in text_string_to_metric_families(text)
    }


def watched() -> None:
    database = DatabaseFactory.create(
        name="orders",
        synced_at=NOON,
        latest_restorable_at=NOON - HOUR,
        earliest_restorable_at=NOON - 24 * HOUR,
        recovery_point_objective=HOUR,
        recovery_time_objective=4 * HOUR,
    )
    BackupFactory.create(database=database)
    target = RecoveryTargetFactory.create(name="spare", probed_at=NOON, free_bytes=1000)
    LossForecast.objects.create(
        database=database, at=NOON - timedelta(minutes=5), loss_seconds=100, low_seconds=10,
        middle_seconds=20, high_seconds=30, plan_words="the plan",
    )  # fmt: skip
    Drill.objects.create(
        database=database, target=target, state=DrillState.PASSED, requested_at=NOON - HOUR,
        ended_at=NOON, measured_seconds=42.0,
    )  # fmt: skip
    ReplicaState.objects.create(
        database=database, location=StorageLocationFactory.create(name="second"), compared_at=NOON,
        behind_since_at=NOON - HOUR, missing_bytes=7,
    )  # fmt: skip
    StorageProbe.objects.create(
        location=database.storage, at=NOON, kind="GET", seconds=0.5, error="silent"
    )
    runner.check_database(database_id=database.pk, at=NOON)


def test_say_what_is_on_record() -> None:
    watched()

    found = samples()

    assert found["highwater_restorable_until_timestamp_seconds"][("orders",)] == (
        (NOON - HOUR).timestamp()
    )
    # The loss has grown since it was forecast.
    assert found["highwater_forecast_loss_seconds"][("orders",)] == 400
    assert found["highwater_forecast_recovery_seconds"]["high", "orders"] == 30
    assert found["highwater_drill_measured_seconds"][("orders",)] == 42
    assert found["highwater_replica_missing_bytes"][("orders", "second")] == 7
    assert found["highwater_target_ready"][("spare",)] == 1
    states = found["highwater_check_state"]
    assert states["drill", "orders", "ok"] == 1
    assert states["drill", "orders", "critical"] == 0
    assert set(found["highwater_probe_failed"].values()) == {1}


def test_give_no_figure_for_what_is_not_known() -> None:
    DatabaseFactory.create(name="new")

    found = samples()

    assert found["highwater_archive_read_timestamp_seconds"] == {}
    assert found["highwater_forecast_loss_seconds"] == {}
    assert found["highwater_objects_not_as_recorded"] == {("new",): 0}


def test_cost_as_many_queries_for_many_databases(django_assert_num_queries: Any) -> None:
    watched()
    with django_assert_num_queries(14):
        samples()
    for _number in range(5):
        BackupFactory.create()
    with django_assert_num_queries(14):
        samples()


def test_rules_name_nothing_that_is_not_there() -> None:
    watched()

    named = set(re.findall(r"highwater_\w+", RULES.read_text(encoding="utf-8")))

    assert len(named) >= 10
    assert named <= set(samples())


class TestAddress:
    def test_wants_the_token(self, client: Client) -> None:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer no"}).status_code == 401

        answer = client.get(
            "/metrics", headers={"authorization": f"Bearer {settings.METRICS_TOKEN}"}
        )

        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        assert b"# HELP highwater_check_state" in answer.content

    def test_is_not_there_without_a_token_set(self, client: Client, settings: Any) -> None:
        settings.METRICS_TOKEN = ""

        assert client.get("/metrics").status_code == 404
