"""Storage locations are probed: against a real S3 server, one that fails, and one that lies."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backups import operations, tasks
from backups.models import ProbeKind, StorageLocation, StorageProbe
from backups.runner.probing import (
    EVERY,
    JITTER_SECONDS,
    SELDOMEST,
    due_storages,
    probe_storage,
    thin_probes,
)
from backups.storage.probe import PROBE_FOLDER, probe
from backups.storage.s3 import Bucket, Credentials, Place
from backups.storage.values import ObjectRef
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.factories import BackupFactory, DatabaseFactory, StorageLocationFactory
from tests.factories import HOUR, MINUTE, NOON

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.django_db

JITTER = timedelta(seconds=JITTER_SECONDS)
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def location(
    fault_proxy: FaultProxy, s3_server: Addresses, s3_bucket: str, tmp_path: Path
) -> StorageLocation:
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps({"access_key": s3_server.s3_access_key, "secret_key": s3_server.s3_secret_key})
    )
    made: StorageLocation = StorageLocationFactory.create(
        name="cellar", endpoint=fault_proxy.endpoint, region=s3_server.s3_region,
        bucket=s3_bucket, prefix="pg", credentials_reference=f"file:{keys}",
    )  # fmt: skip
    return made


def backed_up(location: StorageLocation, s3_client: "S3Client", size: int = 600_000) -> str:
    """Put a backup there with one object, and return its key."""
    backup = BackupFactory.create(database=DatabaseFactory.create(storage=location))
    key = f"pg/main/base/{backup.engine_id}/data.tar"
    s3_client.put_object(Bucket=location.bucket, Key=key, Body=bytes(size))
    return key


def found_by_kind(location: StorageLocation) -> dict[str, StorageProbe]:
    return {row.kind: row for row in StorageProbe.objects.filter(location=location)}


@contextmanager
def storage_that(answer: Answer) -> Iterator[str]:
    """Run a storage that answers everything like this; give its address."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

        def log_message(self, *_args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def say(door: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    length = int(door.headers.get("Content-Length") or 0)
    door.rfile.read(length)
    door.send_response_only(status)
    for name, value in headers.items():
        door.send_header(name.replace("_", "-"), value)
    door.send_header("Content-Length", str(len(body)))
    door.end_headers()
    door.wfile.write(body)


def errors_of(endpoint: str, *, limit_seconds: float = 5) -> dict[str, str]:
    """Return the word for how each question went."""
    bucket = Bucket(
        Place(bucket="b", endpoint=endpoint),
        Credentials(access_key="a", secret_key="s"),
        silence_seconds=2,
    )
    answers = probe(bucket, name="one", limit_seconds=limit_seconds)
    return {each.kind: each.error for each in answers}


class TestARealStorage:
    def test_is_asked_all_and_left_as_it_was(
        self, location: StorageLocation, s3_client: "S3Client", s3_bucket: str
    ) -> None:
        key = backed_up(location, s3_client)

        probe_storage(location_id=location.pk, at=NOON)

        found = found_by_kind(location)
        assert set(found) == set(ProbeKind)
        assert [row.error for row in found.values()] == ["", "", "", ""]
        assert found["RANGE"].bytes == 256 * 1024
        assert all(row.seconds > 0 and row.first_byte_seconds is not None for row in found.values())
        assert found["GET"].clock_ahead_seconds == pytest.approx(0, abs=3)
        listed = s3_client.list_objects_v2(Bucket=s3_bucket)["Contents"]
        assert [each["Key"] for each in listed] == [key]

    def test_costs_little(
        self, location: StorageLocation, s3_client: "S3Client", fault_proxy: FaultProxy
    ) -> None:
        backed_up(location, s3_client)
        probe_storage(location_id=location.pk, at=NOON)
        before = fault_proxy.total()

        probe_storage(location_id=location.pk, at=NOON + HOUR)

        after = fault_proxy.total()
        assert after.requests - before.requests == 5
        assert after.bytes_down - before.bytes_down < 300_000

    def test_without_a_backup_no_piece_is_read(self, location: StorageLocation) -> None:
        probe_storage(location_id=location.pk, at=NOON)

        assert set(found_by_kind(location)) == {"PUT", "GET", "LIST"}

    def test_whose_object_is_gone_is_not_blamed(
        self, location: StorageLocation, s3_client: "S3Client", s3_bucket: str
    ) -> None:
        key = backed_up(location, s3_client)
        probe_storage(location_id=location.pk, at=NOON)
        s3_client.delete_object(Bucket=s3_bucket, Key=key)

        probe_storage(location_id=location.pk, at=NOON + HOUR)

        later = StorageProbe.objects.filter(at=NOON + HOUR)
        assert {row.kind: row.error for row in later} == {"PUT": "", "GET": "", "LIST": ""}
        location.refresh_from_db()
        assert location.probe_key == ""


class TestTrouble:
    def test_of_keys_that_are_not_there_is_told(self, location: StorageLocation) -> None:
        location.credentials_reference = "file:/nowhere"
        location.save()

        probe_storage(location_id=location.pk, at=NOON)

        assert {row.error for row in StorageProbe.objects.all()} == {"keys"}

    def test_of_keys_that_are_refused_is_told(
        self, location: StorageLocation, tmp_path: Path
    ) -> None:
        keys = tmp_path / "wrong.json"
        keys.write_text(json.dumps({"access_key": "wrong", "secret_key": "wrong"}))
        location.credentials_reference = f"file:{keys}"
        location.save()

        probe_storage(location_id=location.pk, at=NOON)

        assert found_by_kind(location)["LIST"].error == "denied"

    def test_of_a_storage_that_is_away(
        self, location: StorageLocation, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(down=True)

        probe_storage(location_id=location.pk, at=NOON)

        assert {row.error for row in StorageProbe.objects.all()} == {"unreachable"}
        assert {row.first_byte_seconds for row in StorageProbe.objects.all()} == {None}

    def test_of_bodies_that_break_off(
        self, location: StorageLocation, s3_client: "S3Client", fault_proxy: FaultProxy
    ) -> None:
        backed_up(location, s3_client)
        fault_proxy.faults = Faults(reset_after_bytes=100_000)

        probe_storage(location_id=location.pk, at=NOON)

        assert found_by_kind(location)["RANGE"].error == "reset"

    def test_503_is_throttling_and_ends_the_round(self) -> None:
        with storage_that(lambda door: say(door, 503)) as endpoint:
            assert errors_of(endpoint) == {"PUT": "slow-down"}

    def test_403_is_told_apart_and_the_rest_is_asked_all_the_same(self) -> None:
        def answer(door: BaseHTTPRequestHandler) -> None:
            if door.command == "PUT":
                say(door, 403, b"<Error><Code>AccessDenied</Code></Error>")
            else:
                say(door, 200, b"<ListBucketResult/>")

        with storage_that(answer) as endpoint:
            assert errors_of(endpoint) == {"PUT": "denied", "LIST": ""}

    def test_a_lie_about_length_and_a_stale_listing_are_told(self) -> None:
        with storage_that(lambda door: say(door, 200, b"something else")) as endpoint:
            assert errors_of(endpoint) == {"PUT": "", "GET": "wrong-length", "LIST": "stale"}

    def test_an_old_version_is_told(self) -> None:
        kept: list[bytes] = []

        def answer(door: BaseHTTPRequestHandler) -> None:
            if door.command == "PUT":
                kept.append(b"x" * int(door.headers["Content-Length"]))
            say(door, 200, kept[-1] if PROBE_FOLDER in door.path else b"")

        with storage_that(answer) as endpoint:
            assert errors_of(endpoint)["GET"] == "stale"

    def test_an_answer_that_drips_is_not_waited_for(self) -> None:
        def drip(door: BaseHTTPRequestHandler) -> None:
            with suppress(ConnectionError):
                for letter in b"HTTP/1.1 200 OK\r\n" + b"x" * 100:
                    door.wfile.write(bytes([letter]))
                    time.sleep(0.2)

        with storage_that(drip) as endpoint:
            assert set(errors_of(endpoint, limit_seconds=1).values()) == {"silent"}

    def test_a_clock_that_is_ahead_is_heard(self) -> None:
        ahead = formatdate(time.time() + 3600, usegmt=True)
        with storage_that(lambda door: say(door, 403, Date=ahead)) as endpoint:
            bucket = Bucket(
                Place(bucket="b", endpoint=endpoint),
                Credentials(access_key="a", secret_key="s"),
            )
            (put, *_others) = probe(bucket, name="one")

        assert put.clock_ahead_seconds == pytest.approx(3600, abs=2)

    @pytest.mark.parametrize("how", ["AES256", ""])
    def test_how_a_piece_of_a_backup_is_encrypted_is_heard(self, how: str) -> None:
        said = {"x-amz-server-side-encryption": how} if how else {}

        def answer(door: BaseHTTPRequestHandler) -> None:
            if door.headers.get("Range"):
                say(door, 206, b"x" * 10, **{"Content-Range": "bytes 0-9/10"}, **said)
            else:
                say(door, 200)

        with storage_that(answer) as endpoint:
            bucket = Bucket(
                Place(bucket="b", endpoint=endpoint),
                Credentials(access_key="a", secret_key="s"),
            )
            piece = ObjectRef(key="main/data.tar", size=10, etag="")
            found = {each.kind: each for each in probe(bucket, name="one", piece_of=piece)}

        assert (found["RANGE"].error, found["RANGE"].encryption) == ("", how)
        assert found["LIST"].encryption == ""


class TestItsTime:
    def test_comes_every_quarter_of_an_hour_and_of_two_beats_one_does_it(
        self, location: StorageLocation
    ) -> None:
        assert due_storages(at=NOON) == [location.pk]

        first = probe_storage(location_id=location.pk, at=NOON)
        second = probe_storage(location_id=location.pk, at=NOON)

        assert first
        assert second is None
        assert due_storages(at=NOON + EVERY - JITTER - MINUTE) == []
        assert due_storages(at=NOON + EVERY + JITTER) == [location.pk]

    def test_is_sent_on_its_way_by_the_beat(
        self, location: StorageLocation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        monkeypatch.setattr(
            tasks.probe_storage,
            "apply_async",
            lambda kwargs, expires: sent.append(kwargs["location_id"]) if expires else None,
        )

        tasks.probe_storages()
        probe_storage(location_id=location.pk, at=timezone.now())
        tasks.probe_storages()

        assert sent == [location.pk]

    def test_is_not_put_off_by_a_clock_that_ran_ahead(self, location: StorageLocation) -> None:
        probe_storage(location_id=location.pk, at=NOON + 30 * 24 * HOUR)

        assert due_storages(at=NOON) == [location.pk]
        assert probe_storage(location_id=location.pk, at=NOON, is_asked_for=True)

    def test_comes_once_after_a_day_of_sleep(self, location: StorageLocation) -> None:
        probe_storage(location_id=location.pk, at=NOON)

        assert probe_storage(location_id=location.pk, at=NOON + 24 * HOUR)
        assert probe_storage(location_id=location.pk, at=NOON + 24 * HOUR) is None

    def test_is_further_off_each_time_the_provider_throttles(
        self, location: StorageLocation, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(error_share=1.0)
        at, waits = NOON, []
        for _round in range(4):
            probe_storage(location_id=location.pk, at=at)
            location.refresh_from_db()
            assert location.probe_due_at is not None
            waits.append(location.probe_due_at - at)
            at = location.probe_due_at

        assert [round(wait / EVERY) for wait in waits] == [2, 4, 4, 4]
        assert max(waits) <= SELDOMEST + JITTER

        fault_proxy.faults = Faults()
        probe_storage(location_id=location.pk, at=at)
        location.refresh_from_db()
        assert location.probe_due_at is not None
        assert location.probe_due_at - at <= EVERY + JITTER

    def test_what_may_not_be_written_is_tried_again_the_next_day(
        self, location: StorageLocation
    ) -> None:
        StorageProbe.objects.create(
            location=location, at=NOON - HOUR, kind=ProbeKind.PUT, seconds=0.1, error="denied"
        )

        probe_storage(location_id=location.pk, at=NOON)
        probe_storage(location_id=location.pk, at=NOON + 24 * HOUR)

        puts = StorageProbe.objects.filter(kind=ProbeKind.PUT, at__gte=NOON)
        assert [row.at for row in puts] == [NOON + 24 * HOUR]

    def test_old_probes_are_thinned_and_very_old_ones_gone(self, location: StorageLocation) -> None:
        def add(days: int, minutes: int) -> None:
            StorageProbe.objects.create(
                location=location, kind=ProbeKind.GET, seconds=1,
                at=NOON - timedelta(days=days, minutes=minutes),
            )  # fmt: skip

        for days in (10, 100, 500):
            for minutes in (15, 30, 45):
                add(days, minutes)

        thin_probes(at=NOON)
        thin_probes(at=NOON)

        left = StorageProbe.objects.order_by("-at").values_list("at", flat=True)
        assert [(NOON - at).days for at in left] == [10, 10, 10, 100]


class TestTheCommand:
    def test_says_how_each_question_went(self, location: StorageLocation) -> None:
        out = StringIO()

        call_command("probe_storage", "cellar", stdout=out)

        assert "cellar: small write: " in out.getvalue()
        assert "cellar: list: " in out.getvalue()

    def test_fails_where_the_storage_does(
        self, location: StorageLocation, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(down=True)

        with pytest.raises(CommandError, match="1 of 1 did not answer"):
            call_command("probe_storage", stdout=StringIO())

    def test_waits_for_another_that_is_at_it(self, location: StorageLocation) -> None:
        now = timezone.now()
        operations.probe_now(location_id=location.pk, at=now)

        with pytest.raises(operations.BeingProbed):
            operations.probe_now(location_id=location.pk, at=now + MINUTE)

        assert operations.probe_now(location_id=location.pk, at=now + 4 * MINUTE)


@pytest.mark.django_db
class TestProbedByOthers:
    def test_is_no_success_while_nothing_is_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        StorageLocationFactory.create(probed_at=timezone.now() - timedelta(seconds=5))

        with pytest.raises(CommandError, match="1 of 1"):
            call_command("probe_storage")

        assert "being probed just now" in capsys.readouterr().err

    @pytest.mark.parametrize("error", ["", "slow-down"])
    def test_is_judged_by_what_they_wrote_down(self, error: str) -> None:
        now = timezone.now()
        location = StorageLocationFactory.create(probed_at=now - timedelta(seconds=5))
        StorageProbe.objects.create(
            location=location, kind=ProbeKind.LIST, at=now, bytes=10, seconds=0.1, error=error
        )
        out = StringIO()

        with pytest.raises(CommandError) if error else nullcontext():
            call_command("probe_storage", stdout=out)

        assert f": list: {error or '10 bytes in 100 ms'}" in out.getvalue()
