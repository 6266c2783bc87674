"""What the web server runs, as it is put together."""

import gc
from typing import Any

import pytest
from django.db import connection

from config.wsgi import application
from statuspage.publisher import publish_all
from tests.factories import NOON


def _get(path: str) -> bytes:
    application.look()
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    return b"".join(application(environ, lambda *_answer: lambda _body: None))


@pytest.mark.django_db
def test_public_addresses_never_ask_the_database() -> None:
    publish_all(now=lambda: NOON)

    def refuse(*_query: object) -> None:
        raise AssertionError("The database was asked.")

    with connection.execute_wrapper(refuse):
        for path in ("/", "/history", "/api/v2/summary.json", "/history.atom"):
            assert b"Highwater" in _get(path)


def test_the_collector_leaves_alone_what_the_start_has_loaded() -> None:
    assert gc.get_freeze_count() > 50_000
