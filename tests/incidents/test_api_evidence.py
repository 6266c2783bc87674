"""Files by the desk's API: judged as at the desk, and refused with a status that says why."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from incidents import operations
from incidents.models import Evidence, TimelineEntry
from incidents.values import Severity, Visibility
from tests.factories import NOON, ResponderFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
MIB = 1024 * 1024


@pytest.fixture
def responder() -> User:
    return ResponderFactory.create()


@pytest.fixture
def api(responder: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(responder)
    return client


@pytest.fixture
def entry() -> TimelineEntry:
    return TimelineEntryFactory.create()


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    place = tmp_path / "evidence"
    settings.EVIDENCE_ROOT = place
    settings.STORAGES = dict(settings.STORAGES)
    return place


def _send(
    api: APIClient, entry: TimelineEntry, content: bytes, name: str = "graph.png", **more: str
) -> Any:
    return api.post(
        f"/api/desk/v1/entries/{entry.pk}/evidence/",
        {"file": SimpleUploadedFile(name, content), **more},
        format="multipart",
    )


def test_a_file_is_attached_and_its_digest_answered(
    api: APIClient, entry: TimelineEntry, responder: User, root: Path
) -> None:
    digest = hashlib.sha256(PNG).hexdigest()

    answer = _send(api, entry, PNG, caption="The queue", sha256=digest.upper())

    piece = entry.evidence.get()
    assert answer.status_code == 201
    said = answer.json()
    assert (said["id"], said["name"], said["caption"]) == (piece.pk, "graph.png", "The queue")
    assert (said["content_type"], said["size"], said["sha256"]) == ("image/png", len(PNG), digest)
    assert piece.created_by == responder
    assert (root / piece.file).read_bytes() == PNG
    shown = api.get(f"/api/desk/v1/entries/{entry.pk}/").json()
    assert [each["sha256"] for each in shown["evidence"]] == [digest]


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        ((b"<svg onload=alert(1)>", "graph.svg"), (422, "file-of-another-kind")),
        ((b"<html>", "page.txt"), (422, "file-of-another-kind")),
        ((b"MZ\x90\x00", "tool.exe"), (422, "file-of-another-kind")),
        ((PNG, "graph.jpg"), (422, "file-not-as-named")),
        ((b"", "empty.txt"), (422, "file-is-empty")),
        ((b"x" * (MIB + 1), "long.log"), (413, "file-too-large")),
        # Too much even before it is looked at.
        ((b"x" * (3 * MIB), "longer.log"), (413, "file-too-large")),
    ],
)
def test_what_may_not_be_attached_is_refused_with_its_reason(
    api: APIClient,
    entry: TimelineEntry,
    settings: Settings,
    sent: tuple[bytes, str],
    refused: tuple[int, str],
) -> None:
    settings.EVIDENCE_MOST_BYTES = MIB

    answer = _send(api, entry, *sent)

    assert (answer.status_code, answer.json()["code"]) == refused
    assert answer.json()["detail"].endswith(".")
    assert not Evidence.objects.exists()
    assert [place for place in Path(settings.EVIDENCE_ROOT).rglob("*") if place.is_file()] == []


def test_a_file_that_changed_on_the_way_is_refused(api: APIClient, entry: TimelineEntry) -> None:
    other = _send(api, entry, PNG, sha256="0" * 64)
    no_digest = _send(api, entry, PNG, sha256="nonsense")

    assert (other.status_code, other.json()["code"]) == (422, "file-differs")
    assert no_digest.status_code == 400
    assert not Evidence.objects.exists()


def test_a_file_is_sent_as_a_form_with_its_name(api: APIClient, entry: TimelineEntry) -> None:
    address = f"/api/desk/v1/entries/{entry.pk}/evidence/"

    assert api.post(address, {"caption": "x"}, format="multipart").status_code == 400
    assert api.post(address, {"file": "x"}, format="json").status_code == 415
    assert APIClient().post(address, {}, format="multipart").status_code == 401


def test_nothing_is_attached_to_what_one_may_not_see(api: APIClient) -> None:
    private = operations.declare_incident(
        title="A leak", severity=Severity.SEV1, at=NOON, visibility=Visibility.PRIVATE,
        author=ResponderFactory.create(username="other"),
    )  # fmt: skip

    assert _send(api, TimelineEntryFactory.create(incident=private), PNG).status_code == 404
