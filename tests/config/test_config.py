"""The roof: settings that stop the start, and the health of what is behind the page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client, RequestFactory
from pytest_django import Settings

from config import env
from config.checks import check_times
from config.health import failed


class TestEnvironment:
    def test_a_missing_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SOME_SECRET", raising=False)

        with pytest.raises(Exception, match="Set SOME_SECRET"):
            env.text("SOME_SECRET")

    def test_a_file_gives_the_value(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        secret = tmp_path_factory.mktemp("secrets") / "secret"
        secret.write_text("s3cret\n")
        monkeypatch.setenv("SOME_SECRET_FILE", str(secret))

        assert env.text("SOME_SECRET") == "s3cret"

    def test_a_number_that_is_none_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOME_PORT", "twenty")

        with pytest.raises(Exception, match="SOME_PORT must be a whole number"):
            env.whole("SOME_PORT")


@pytest.mark.parametrize(
    "missing", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "PUBLIC_ROOT"]
)
def test_production_refuses_to_start_with_the_name_of_what_is_missing(missing: str) -> None:
    given = {
        "SECRET_KEY": "x" * 50,
        "ALLOWED_HOSTS": "status.example.org",
        "DATABASE_URL": "postgresql://a:b@127.0.0.1/c",
        "REDIS_URL": "redis://127.0.0.1/0",
        "VAR_DIR": "/nowhere",
        "PUBLIC_ROOT": "/nowhere/public",
        "STATIC_ROOT": "/nowhere/static",
        "DEFAULT_FROM_EMAIL": "status@example.org",
    }
    del given[missing]

    answer = subprocess.run(
        [sys.executable, "-c", "import config.settings.production"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"]} | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert answer.returncode != 0
    assert f"Set {missing}" in answer.stderr


def test_times_that_contradict_each_other_stop_the_start(settings: Settings) -> None:
    assert check_times() == []

    settings.LEASE_SECONDS = settings.HEARTBEAT_SECONDS
    settings.STALE_AFTER_SECONDS = 1
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}

    assert [error.id for error in check_times()] == [
        "highwater.E001",
        "highwater.E002",
        "highwater.E003",
    ]


@pytest.mark.django_db
def test_health_says_whether_the_database_answers(client: Client) -> None:
    assert client.get("/healthz").json() == {"database": "ok"}


class TestFailed:
    def test_a_database_that_is_away_is_named(self) -> None:
        try:
            raise OperationalError
        except OperationalError:
            answer = failed(RequestFactory().get("/desk/"))

        assert answer.status_code == 503
        assert "emergency_notice" in answer.content.decode()

    def test_any_other_fault_is_ours(self) -> None:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            assert failed(RequestFactory().get("/desk/")).status_code == 500


def test_the_embedded_default_heeds_what_its_operator_decides(tmp_path: Path) -> None:
    read = "from config.settings import embedded as s"
    program = f"{read}; print(s.METRICS_TOKEN or '-', *s.OUTGOING_NETWORKS)"

    def told(**given: str) -> str:
        return subprocess.run(
            [
                sys.executable, "-c", program,
            ],
            cwd=settings.BASE_DIR,
            env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)} | given,
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout.strip()  # fmt: skip

    assert told() == "-"
    given = told(METRICS_TOKEN="s3cret", OUTGOING_NETWORKS="10.0.0.0/8")
    assert given == "s3cret 10.0.0.0/8"
