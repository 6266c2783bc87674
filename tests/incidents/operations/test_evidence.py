"""Evidence: what may be attached, by what it holds; where it lies; ways back."""

import hashlib
import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from pytest_django import Settings

from config.celery import app
from incidents import evidence, operations, tasks
from incidents.models import Evidence
from incidents.values import When
from tests.factories import NOON, ResponderFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 40
PDF = b"%PDF-1.7\n" + b"\xe2\xe3\xcf\xd3"
LIMIT = 1024 * 1024


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    """Keep the files of a test in a folder of its own."""
    place = tmp_path / "evidence"
    settings.EVIDENCE_ROOT = place
    # Storages are made once, and remembered.
    settings.STORAGES = dict(settings.STORAGES)
    return place


def _attach(content: bytes, name: str, entry_id: int | None = None) -> Evidence:
    return operations.add_file(
        entry_id=entry_id or TimelineEntryFactory.create().pk,
        file=ContentFile(content),
        name=name,
        caption="",
        at=NOON,
        author=ResponderFactory.create(),
    )


def _kind(content: bytes, name: str) -> str:
    return evidence.examine([content], name=name, limit=LIMIT).content_type


class TestExamine:
    @pytest.mark.parametrize(
        ("content", "name", "kind"),
        [
            (PNG, "graph.png", "image/png"),
            (PNG, "graph", "image/png"),
            (JPEG, "photo.JPEG", "image/jpeg"),
            (b"GIF89a" + b"\0" * 20, "a.gif", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "a.webp", "image/webp"),
            (PDF, "report.pdf", "application/pdf"),
            (b"12:00 it broke\n", "postgres.log", "text/plain"),
            (b"12:00 it broke\n", "postgres.log.1", "text/plain"),
            (b"<34>Oct 11 22:14:15 su: failed\n", "syslog", "text/plain"),
            (b"\x1b[31mred\x1b[0m\n", "colours.txt", "text/plain"),
            (b"a,b\n1,2\n", "table.csv", "text/csv"),
            (b'\xef\xbb\xbf{"a": 1}', "dump.json", "application/json"),
            ("überlastet".encode(), "note.txt", "text/plain"),
        ],
    )
    def test_is_what_its_bytes_say(self, content: bytes, name: str, kind: str) -> None:
        assert _kind(content, name) == kind

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "drawing.svg"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "drawing.txt"),
            (b"\n <!DOCTYPE html><p>", "page.log"),
            (b"<?xml version='1.0'?><svg/>", "drawing"),
            (b"plain words", "page.html"),
            (b"alert(1)", "run.js"),
            (b"MZ\x90\0\x03", "tool.exe"),
            (b"PK\x03\x04", "archive.zip"),
            ("überlastet".encode("latin-1"), "old.txt"),
            ("words".encode("utf-16"), "windows.txt"),
        ],
    )
    def test_anything_else_is_refused(self, content: bytes, name: str) -> None:
        with pytest.raises(evidence.FileOfAnotherKind):
            _kind(content, name)

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (PNG, "graph.jpg"),
            (PNG, "notes.txt"),
            (b"plain words", "graph.png"),
            (b"words, not JSON", "dump.json"),
        ],
    )
    def test_a_name_that_lies_is_refused(self, content: bytes, name: str) -> None:
        with pytest.raises(evidence.FileNotAsNamed, match="called"):
            _kind(content, name)

    def test_text_is_read_to_its_end(self) -> None:
        with pytest.raises(evidence.FileOfAnotherKind):
            evidence.examine([b"words " * 2000, b"\0\1\2"], name="a.log", limit=LIMIT)

    def test_a_sign_that_is_cut_by_a_chunk_is_one(self) -> None:
        halves = ["ü".encode()[:1], "ü".encode()[1:]]

        assert evidence.examine(halves, name="a.txt", limit=LIMIT).size == 2

    def test_too_much_is_refused_with_the_limit_and_read_no_further(self) -> None:
        read: list[int] = []

        def chunks() -> object:
            for number in range(100):
                read.append(number)
                yield b"x" * 300_000

        with pytest.raises(evidence.FileTooLarge, match="larger than 1 MiB"):
            evidence.examine(chunks(), name="a.txt", limit=LIMIT)  # type: ignore[arg-type]
        assert read == [0, 1, 2, 3]

    def test_nothing_is_refused(self) -> None:
        with pytest.raises(evidence.FileIsEmpty):
            _kind(b"", "a.txt")

    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            (r"C:\desk\graph.png", "graph.png"),
            ("../../etc/passwd", "passwd"),
            ("a\r\nb.txt", "ab.txt"),
            ("invoice\u202efdp.txt", "invoicefdp.txt"),
            ("", "file"),
            ("x" * 300 + ".png", "x" * 196 + ".png"),
        ],
    )
    def test_names_lose_what_is_no_name(self, name: str, plain: str) -> None:
        assert evidence.plain_name(name) == plain


class TestAddFile:
    def test_lies_under_its_digest_for_nobody_else_to_read(self, root: Path) -> None:
        added = _attach(PNG, "graph.png")

        digest = hashlib.sha256(PNG).hexdigest()
        file = root / digest[:2] / digest
        assert (added.sha256, added.size, added.name) == (digest, len(PNG), "graph.png")
        assert file.read_bytes() == PNG
        assert file.stat().st_mode & 0o077 == 0

    def test_the_same_file_lies_there_once(self, root: Path) -> None:
        first, second = _attach(PNG, "graph.png"), _attach(PNG, "again.png")

        assert first.file == second.file
        assert len([path for path in root.rglob("*") if path.is_file()]) == 1

    def test_half_a_file_that_was_left_there_is_not_taken_for_it(self, root: Path) -> None:
        digest = hashlib.sha256(PNG).hexdigest()
        (root / digest[:2]).mkdir(parents=True)
        (root / digest[:2] / digest).write_bytes(PNG[:10])

        added = _attach(PNG, "graph.png")

        assert (root / added.file).read_bytes() == PNG

    def test_what_is_refused_leaves_nothing(self, root: Path) -> None:
        with pytest.raises(evidence.FileOfAnotherKind):
            _attach(b"MZ\x90\0", "tool.exe")

        assert not Evidence.objects.exists()
        assert not root.exists()


class TestAddLink:
    @pytest.mark.parametrize(
        "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://", "//a"]
    )
    def test_only_the_web_is_linked_to(self, url: str) -> None:
        entry = TimelineEntryFactory.create()

        with pytest.raises(operations.LinkNotOfTheWeb):
            operations.add_link(entry_id=entry.pk, url=url, caption="", at=NOON, author=None)
        with pytest.raises(operations.LinkNotOfTheWeb):
            operations.add_entry(
                incident_id=entry.incident_id, text="See there", when=When(at=NOON), at=NOON,
                author=None, evidence_url=url,
            )  # fmt: skip

    def test_can_be_taken_off_and_brought_back(self) -> None:
        entry = TimelineEntryFactory.create()
        link = operations.add_link(
            entry_id=entry.pk, url="https://a.example/x", caption="Graph", at=NOON, author=None
        )

        operations.remove_evidence(evidence_id=link.pk, at=NOON)
        assert not entry.evidence.live().exists()
        operations.restore_evidence(evidence_id=link.pk)
        assert entry.evidence.live().get() == link


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"url": "https://a.example", "file": "ab/abc", "sha256": "0" * 64, "size": 1},
        {"file": "ab/abc", "sha256": "nothing", "size": 1},
        {"file": "ab/abc", "sha256": "0" * 64},
    ],
)
def test_the_database_takes_a_link_or_a_file(broken: dict[str, object]) -> None:
    entry = TimelineEntryFactory.create()

    with pytest.raises(IntegrityError), transaction.atomic():
        entry.evidence.create(created_at=NOON, **broken)


def _aged(place: Path, *, days: float) -> Path:
    """Let a file be so many days old at noon of the tests."""
    then = NOON.timestamp() - days * 86_400
    os.utime(place, (then, then))
    return place


class TestClearing:
    def test_what_hangs_on_no_entry_is_deleted(self, root: Path) -> None:
        kept, gone = _attach(PNG, "kept.png"), _attach(JPEG, "gone.jpg")
        Evidence.objects.filter(pk=gone.pk).delete()
        half = root / kept.file[:2] / f"{kept.file[3:]}_half"
        half.write_bytes(PNG[:9])
        for place in (root / kept.file, root / gone.file, half):
            _aged(place, days=2)

        assert operations.clear_unused_files(at=NOON) == 2

        assert (root / kept.file).read_bytes() == PNG
        assert not (root / gone.file).exists()
        assert not half.exists()
        assert operations.clear_unused_files(at=NOON) == 0

    def test_what_was_taken_off_can_still_be_brought_back(self, root: Path) -> None:
        piece = _attach(PNG, "graph.png")
        operations.remove_evidence(evidence_id=piece.pk, at=NOON)
        operations.delete_entry(entry_id=piece.entry_id, at=NOON, author=None)
        _aged(root / piece.file, days=400)

        assert operations.clear_unused_files(at=NOON) == 0
        assert (root / piece.file).exists()

    def test_what_several_entries_share_stays_for_the_last_of_them(self, root: Path) -> None:
        one, other = _attach(PNG, "a.png"), _attach(PNG, "b.png")
        assert one.file == other.file
        _aged(root / one.file, days=2)

        Evidence.objects.filter(pk=one.pk).delete()
        assert operations.clear_unused_files(at=NOON) == 0
        Evidence.objects.filter(pk=other.pk).delete()
        assert operations.clear_unused_files(at=NOON) == 1
        # Attached again, it lies there again.
        assert (root / _attach(PNG, "c.png").file).read_bytes() == PNG

    def test_what_is_new_stays_for_a_day(self, root: Path) -> None:
        piece = _attach(PNG, "graph.png")
        Evidence.objects.all().delete()

        _aged(root / piece.file, days=0.9)
        assert operations.clear_unused_files(at=NOON) == 0
        _aged(root / piece.file, days=1.1)
        assert operations.clear_unused_files(at=NOON) == 1

    def test_where_nothing_was_attached_nothing_is_cleared(self, root: Path) -> None:
        assert not root.exists()
        assert operations.clear_unused_files(at=NOON) == 0

    def test_the_beat_asks_for_it(self) -> None:
        tasks.clear_unused_files()

        beaten = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
        assert beaten["incidents.tasks.clear_unused_files"] == 86_400
