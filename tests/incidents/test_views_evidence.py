"""Evidence at the desk: attached, refused in words, sent so that it can do nothing."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from incidents.models import Evidence, Incident, TimelineEntry
from tests.factories import TimelineEntryFactory

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
INVALID, TOO_LARGE = 422, 413


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    place = tmp_path / "evidence"
    settings.EVIDENCE_ROOT = place
    settings.STORAGES = dict(settings.STORAGES)
    return place


@pytest.fixture
def entry(incident: Incident) -> TimelineEntry:
    return TimelineEntryFactory.create(incident=incident)


def _attach(desk: Client, entry: TimelineEntry, content: bytes, name: str) -> Any:
    return desk.post(
        _url("evidence-file", entry.pk),
        {"file": SimpleUploadedFile(name, content), "caption": "The <graph>"},
    )


def test_a_picture_is_attached_shown_and_its_hash_with_it(
    desk: Client, entry: TimelineEntry
) -> None:
    answer = _attach(desk, entry, PNG, "graph.png")

    piece = entry.evidence.get()
    page = desk.get(_url("entry-evidence", entry.pk)).content.decode()
    timeline = desk.get(entry.incident.get_absolute_url()).content.decode()
    assert answer["Location"] == _url("entry-evidence", entry.pk)
    assert piece.sha256 in page
    assert piece.sha256[:8] in timeline
    assert f'<img src="{_url("evidence", piece.pk)}" alt="The &lt;graph&gt;"' in timeline


def test_a_picture_is_sent_so_that_it_can_do_nothing(desk: Client, entry: TimelineEntry) -> None:
    _attach(desk, entry, PNG, "graph.png")

    sent = desk.get(_url("evidence", entry.evidence.get().pk))

    assert b"".join(sent.streaming_content) == PNG  # type: ignore[attr-defined]
    assert sent["Content-Type"] == "image/png"
    assert sent["Content-Disposition"].startswith("inline")
    assert sent["X-Content-Type-Options"] == "nosniff"
    assert sent["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert sent["Cache-Control"] == "private, max-age=3600"


def test_everything_but_a_picture_is_for_keeping(desk: Client, entry: TimelineEntry) -> None:
    _attach(desk, entry, b"12:00 it broke\n", "night.log")

    sent = desk.get(_url("evidence", entry.evidence.get().pk))

    assert sent["Content-Type"] == "text/plain"
    assert sent["Content-Disposition"] == 'attachment; filename="night.log"'
    sent.close()


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"<svg onload='alert(1)'/>", "drawing.svg", "Attach a picture"),
        (PNG, "graph.jpg", "The file is called .jpg, but holds image/png"),
        (b"", "empty.txt", "The file is empty"),
    ],
)
def test_what_may_not_be_attached_is_refused_in_words(
    desk: Client, entry: TimelineEntry, content: bytes, name: str, sentence: str
) -> None:
    answer = _attach(desk, entry, content, name)

    assert answer.status_code == INVALID
    assert sentence in answer.content.decode()
    assert not Evidence.objects.exists()


def test_a_file_beyond_the_limit_is_refused_with_the_limit(
    desk: Client, entry: TimelineEntry, settings: Settings
) -> None:
    settings.EVIDENCE_MOST_BYTES = 1024 * 1024

    little = _attach(desk, entry, b"x" * (1024 * 1024 + 1), "night.log")
    much = _attach(desk, entry, b"x" * (3 * 1024 * 1024), "night.log")

    assert little.status_code == INVALID
    assert "larger than 1 MiB" in little.content.decode()
    assert much.status_code == TOO_LARGE
    assert "a file may have 1 MiB" in much.content.decode()
    assert not Evidence.objects.exists()


def test_a_link_is_attached(desk: Client, entry: TimelineEntry) -> None:
    desk.post(_url("evidence-link", entry.pk), {"url": "https://a.example/x?a=1&b=2"})
    refused = desk.post(_url("evidence-link", entry.pk), {"url": "javascript:alert(1)"})
    odd = desk.post(_url("evidence-link", entry.pk), {"url": "ftp://a.example/x"})

    timeline = desk.get(entry.incident.get_absolute_url()).content.decode()
    assert 'href="https://a.example/x?a=1&amp;b=2" rel="noreferrer"' in timeline
    assert (refused.status_code, odd.status_code) == (INVALID, INVALID)
    assert "no address of the web" in odd.content.decode()
    assert entry.evidence.count() == 1


def test_what_was_taken_off_is_not_sent_and_can_be_brought_back(
    desk: Client, entry: TimelineEntry
) -> None:
    _attach(desk, entry, PNG, "graph.png")
    piece = entry.evidence.get()
    address = _url("evidence", piece.pk)

    desk.post(_url("evidence-remove", piece.pk))
    gone = desk.get(address)
    listed = desk.get(_url("entry-evidence", entry.pk)).content.decode()
    desk.post(_url("evidence-restore", piece.pk))
    back = desk.get(address)

    assert (gone.status_code, back.status_code) == (404, 200)
    assert "Bring back" in listed
    assert address not in listed.replace(f"{address}restore/", "")
    back.close()


def test_a_file_that_is_gone_from_the_disk_is_not_found(
    desk: Client, entry: TimelineEntry, root: Path
) -> None:
    _attach(desk, entry, PNG, "graph.png")
    piece = entry.evidence.get()
    (root / piece.file).unlink()

    assert desk.get(_url("evidence", piece.pk)).status_code == 404


def test_strangers_and_those_who_may_not_know_of_it_get_nothing(
    desk: Client, client: Client, entry: TimelineEntry
) -> None:
    _attach(desk, entry, PNG, "graph.png")
    address = _url("evidence", entry.evidence.get().pk)
    Incident.objects.filter(pk=entry.incident_id).update(visibility="private")
    entry.incident.members.clear()

    assert desk.get(address).status_code == 404
    desk.logout()
    assert desk.get(address).status_code == 302
