"""The page of a restore says what was counted in totals, however many tenants there are."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from backups.models import Estimate, JobState
from tests.backups.factories import RestoreJobFactory
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db


def _pages(desk: Client, evidence: dict[str, Any]) -> list[str]:
    job = RestoreJobFactory.create(evidence=evidence)
    return [
        desk.get(reverse(f"backups:{name}", args=[job.pk])).content.decode()
        for name in ("restore-detail", "restore-live")
    ]


def _counted(tables: int) -> dict[str, Any]:
    return {"rows": {f"public.table{n}": 10 for n in range(tables)}, "uncounted": []}


def test_totals_stand_for_all_that_are_whole(admin_client: Client) -> None:
    evidence: dict[str, Any] = {f"customer-{n}": _counted(3) for n in range(1000)}
    evidence["late"] = {"absent": True}

    for page in _pages(admin_client, evidence):
        assert "1,000 tenants in full: 30,000 rows in 3,000 tables." in page
        assert "1 was not there yet" in page
        assert "customer-7" not in page
        assert "All tenants" in page


def test_those_that_are_not_whole_are_named_and_what_is_named_is_bounded(
    admin_client: Client,
) -> None:
    locked = [f"public.locked{n}" for n in range(8)]
    evidence = {
        "acme": _counted(1) | {"uncounted": locked},
        "borealis": {"missing": True},
        "cumulus": _counted(1) | {"unreadable": {"public.notes": "the tool's own words"}},
    } | {f"x-{n:03}": {"missing": True} for n in range(100)}

    for page in _pages(admin_client, evidence):
        assert "not counted: public.locked4" in page
        assert "public.locked5" not in page
        assert "and 3 more" in page
        assert "did not come back" in page
        assert "cannot be read: public.notes" in page
        assert "x-046" in page
        assert "x-047" not in page
        assert "And 53 more tenants." in page


def test_what_was_predicted_is_there_when_it_is_over(admin_client: Client) -> None:
    job = RestoreJobFactory.create(state=JobState.SUCCEEDED, ended_at=NOON + HOUR, phase="READY")
    then = NOON + HOUR
    Estimate.objects.create(
        job=job, made_at=NOON, phase="FETCH", basis="usual:", came_true_at=then,
        low80_at=then, low50_at=then, middle_at=then, high50_at=then, high80_at=then,
    )  # fmt: skip

    page = admin_client.get(reverse("backups:restore-detail", args=[job.pk])).content.decode()

    assert "What was predicted" in page
