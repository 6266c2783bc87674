"""What is too much, or no request at all, is answered by a page that says so."""

import pytest
from django.test import Client
from pytest_django import Settings

from tests.factories import ResponderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


def test_too_much_text_is_answered_with_the_limits(desk: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
    settings.EVIDENCE_MOST_BYTES = 5 * 1024 * 1024

    answer = desk.post("/desk/incidents/declare/", {"title": "x" * (1024 * 1024)})

    page = answer.content.decode()
    assert answer.status_code == 413
    assert "A form takes 1 MiB of text in all, and a file may have 5 MiB." in page


def test_too_much_by_a_program_is_no_fault_either(desk: Client, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024

    answer = desk.post(
        "/api/desk/v1/incidents/", {"title": "x" * 2048}, content_type="application/json"
    )

    assert answer.status_code in (400, 413)


def test_what_cannot_be_read_is_answered_by_a_page(desk: Client) -> None:
    fields = {f"field-{number}": "x" for number in range(1001)}

    answer = desk.post("/desk/incidents/declare/", fields)

    assert answer.status_code == 400
    assert "This request cannot be read" in answer.content.decode()
