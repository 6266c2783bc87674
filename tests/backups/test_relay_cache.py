"""What the relay keeps, what it brings before it is asked for, and what it lets go."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backups.storage.items import MIB, PART_BYTES, FetchItem
from backups.storage.journal import StageInUse
from backups.storage.relay import LimitTooSmall, Relay
from backups.storage.relay.shelf import LEAST_LIMIT, Shelf
from backups.storage.s3 import ObjectRef
from backups.storage.sources import Sources
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.relays import client_of, fetched, read, sources_at, wait_for_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Started = tuple["subprocess.Popen[str]", str]
ROOT = Path(__file__).parents[2]
LARGE = bytes(range(256)) * (4096 * 40)  # 40 MiB
LAST_OF_FOLDER = "main/wals/0000000100000000/0000000100000000000000FF.gz"
FIRST_OF_NEXT = "main/wals/0000000100000001/000000010000000100000000.gz"


def segment(number: int) -> str:
    return f"main/wals/0000000100000000/0000000100000000000000{number:02X}.gz"


@pytest.fixture
def sources(s3_bucket: str, s3_server: Addresses, fault_proxy: FaultProxy) -> Iterator[Sources]:
    with sources_at(fault_proxy.endpoint, s3_bucket, s3_server) as found:
        yield found


class TestLookingAhead:
    @pytest.fixture
    def log(self, s3_client: "S3Client", s3_bucket: str) -> None:
        """Store a log of two folders, and a file beside it that is none of a segment."""
        names = [*(segment(number) for number in range(12)), LAST_OF_FOLDER, FIRST_OF_NEXT]
        with ThreadPoolExecutor(8) as pool:
            for name in [*names, "main/base/backup.info"]:
                pool.submit(s3_client.put_object, Bucket=s3_bucket, Key=name, Body=name.encode())

    def test_brings_the_next_segments(
        self, sources: Sources, log: None, tmp_path: Path, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, segment(0)) == segment(0).encode()

            for number in (1, 2, 3):
                wait_for_bytes(fault_proxy, s3_bucket, segment(number), len(segment(number)))
            assert fetched(fault_proxy, s3_bucket, segment(11)) == 0
            asked = fault_proxy.counts()[f"{s3_bucket}/{segment(1)}"].requests
            assert read(client, s3_bucket, segment(1)) == segment(1).encode()
            assert fault_proxy.counts()[f"{s3_bucket}/{segment(1)}"].requests == asked

    def test_goes_on_in_the_next_folder(
        self, sources: Sources, log: None, tmp_path: Path, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            # The folder is looked into when its neighbour ends, for whoever comes next.
            read(client, s3_bucket, segment(11))
            wait_for_bytes(fault_proxy, s3_bucket, LAST_OF_FOLDER, len(LAST_OF_FOLDER))
            read(client, s3_bucket, LAST_OF_FOLDER)

            wait_for_bytes(fault_proxy, s3_bucket, FIRST_OF_NEXT, len(FIRST_OF_NEXT))

    def test_lists_a_folder_once_for_all_of_its_segments(
        self, sources: Sources, log: None, tmp_path: Path, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            # As barman-cloud-wal-restore asks: a listing of the very name, then the object.
            for number in range(12):
                name = segment(number).removesuffix(".gz")
                found = client.list_objects_v2(Bucket=s3_bucket, Prefix=name, Delimiter="/")
                assert [each["Key"] for each in found["Contents"]] == [segment(number)]
                read(client, s3_bucket, segment(number))

        listings = fault_proxy.counts()[s3_bucket].requests
        assert listings <= 2

    def test_leaves_everything_else_alone(
        self, sources: Sources, log: None, tmp_path: Path, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            read(client, s3_bucket, "main/base/backup.info")

        assert fetched(fault_proxy, s3_bucket, segment(0)) == 0


class TestRestart:
    @pytest.fixture
    def stored(self, s3_client: "S3Client", s3_bucket: str) -> None:
        s3_client.put_object(Bucket=s3_bucket, Key="large", Body=LARGE)

    def test_knows_its_keys_and_what_was_fetched(
        self, sources: Sources, stored: None, tmp_path: Path, s3_bucket: str,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "large") == LARGE
            keys, held = relay.credentials, relay.status().held_bytes

        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert relay.credentials == keys
            assert relay.status().held_bytes == held == len(LARGE)
            assert read(client, s3_bucket, "large") == LARGE

        assert fetched(fault_proxy, s3_bucket, "large") == len(LARGE)

    def test_goes_on_inside_of_an_object(
        self, sources: Sources, stored: None, tmp_path: Path, s3_bucket: str,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            read(client, s3_bucket, "large", Range="bytes=0-100")
            wait_for_bytes(fault_proxy, s3_bucket, "large", PART_BYTES)

        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "large") == LARGE

        assert fetched(fault_proxy, s3_bucket, "large") <= len(LARGE) + MIB

    def test_believes_no_file_that_was_altered(
        self, sources: Sources, stored: None, tmp_path: Path, s3_bucket: str
    ) -> None:
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            read(client, s3_bucket, "large")
        (kept,) = (tmp_path / "cache" / "objects").iterdir()
        kept.write_bytes(b"other" + LARGE[5:])

        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "large") == LARGE

    def test_begins_anew_without_its_journal(
        self, sources: Sources, stored: None, tmp_path: Path, s3_bucket: str
    ) -> None:
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            read(client, s3_bucket, "large")
        (tmp_path / "cache" / "journal.jsonl").write_bytes(b"\x00torn")

        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "large") == LARGE

    def test_a_folder_belongs_to_one_relay(self, sources: Sources, tmp_path: Path) -> None:
        with Relay(sources, tmp_path), pytest.raises(StageInUse), Relay(sources, tmp_path):
            pass


class TestTheLimit:
    def test_has_to_leave_room_for_work(self, sources: Sources, tmp_path: Path) -> None:
        with pytest.raises(LimitTooSmall):
            Relay(sources, tmp_path, limit_bytes=LEAST_LIMIT - 1)

    def test_holds_for_an_object_that_is_larger(
        self, sources: Sources, tmp_path: Path, s3_client: "S3Client", s3_bucket: str
    ) -> None:
        content = LARGE * 10  # 400 MiB
        s3_client.put_object(Bucket=s3_bucket, Key="huge", Body=content)
        most = 0
        with Relay(sources, tmp_path, limit_bytes=LEAST_LIMIT) as relay, client_of(relay) as client:
            body = client.get_object(Bucket=s3_bucket, Key="huge")["Body"]
            at = 0
            while data := body.read(16 * MIB):
                assert data == content[at : at + len(data)]
                at += len(data)
                files = (tmp_path / "cache" / "objects").iterdir()
                most = max(most, sum(file.stat().st_blocks * 512 for file in files))

        assert at == len(content)
        assert most <= LEAST_LIMIT + PART_BYTES

    def test_holds_for_what_an_earlier_run_left(
        self, sources: Sources, tmp_path: Path, s3_client: "S3Client", s3_bucket: str
    ) -> None:
        for name in ("old", "new"):
            s3_client.put_object(Bucket=s3_bucket, Key=name, Body=LARGE * 4)  # 160 MiB
        with Relay(sources, tmp_path, limit_bytes=LEAST_LIMIT) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "old") == LARGE * 4

        with Relay(sources, tmp_path, limit_bytes=LEAST_LIMIT) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "new") == LARGE * 4
            (left,) = (tmp_path / "cache" / "objects").iterdir()

        # A file system may take a block more for where the pieces lie.
        assert 0 <= left.stat().st_blocks * 512 - len(LARGE) * 4 < MIB


class Forgotten(list[tuple[str, int, int | None]]):
    """A fetcher's place: it writes down what it is to forget."""

    def forget(self, item: FetchItem, start: int = 0, stop: int | None = None) -> None:
        self.append((item.to, start, stop))


class TestShelf:
    LIMIT = 4 * PART_BYTES

    @pytest.fixture
    def forgotten(self) -> Forgotten:
        return Forgotten()

    @pytest.fixture
    def shelf(self, forgotten: Forgotten) -> Shelf:
        return Shelf(forgotten, limit_bytes=self.LIMIT)

    def item(self, name: str, parts: int = 1) -> FetchItem:
        return FetchItem(ref=ObjectRef(key=name, size=parts * PART_BYTES, etag="x"), to=name)

    def read(self, shelf: Shelf, name: str, parts: int = 1) -> None:
        item = self.item(name, parts)
        with shelf.reading(item, 0):
            shelf.claim(item, 0, item.ref.size, demanded=True)

    def test_lets_the_least_recently_used_go(self, shelf: Shelf, forgotten: Forgotten) -> None:
        for name in ("a", "b", "c", "d", "a", "e"):
            self.read(shelf, name)

        assert forgotten == [("b", 0, None)]
        assert shelf.held_bytes == self.LIMIT

    def test_keeps_what_is_being_read(self, shelf: Shelf, forgotten: Forgotten) -> None:
        held = self.item("held", 2)
        with shelf.reading(held, 0):
            shelf.claim(held, 0, held.ref.size, demanded=True)
            for name in ("a", "b", "c", "d"):
                self.read(shelf, name)

        assert "held" not in {name for name, _start, _stop in forgotten}

    def test_lets_go_behind_every_reader(self, shelf: Shelf, forgotten: Forgotten) -> None:
        huge = self.item("huge", 8)
        with shelf.reading(huge, 0) as first, shelf.reading(huge, 0) as second:
            for part in range(4):
                shelf.claim(huge, part * PART_BYTES, (part + 1) * PART_BYTES, demanded=True)
            first.at, second.at = 3 * PART_BYTES, 2 * PART_BYTES

            assert shelf.claim(huge, 4 * PART_BYTES, 5 * PART_BYTES, demanded=False)
            assert not shelf.claim(huge, 5 * PART_BYTES, 6 * PART_BYTES, demanded=False)

        assert forgotten == [("huge", 0, PART_BYTES)]

    def test_refuses_to_look_ahead_when_it_is_tight(
        self, shelf: Shelf, forgotten: Forgotten
    ) -> None:
        for name in ("1", "2", "3", "4"):
            assert shelf.claim(self.item(name), 0, PART_BYTES, demanded=False)

        assert not shelf.claim(self.item("5"), 0, PART_BYTES, demanded=False)
        assert forgotten == []

    def test_gives_up_what_is_unread_before_it_refuses_a_reader(
        self, shelf: Shelf, forgotten: Forgotten
    ) -> None:
        for name in ("1", "2", "3", "4"):
            shelf.claim(self.item(name), 0, PART_BYTES, demanded=False)
        self.read(shelf, "now")

        assert forgotten == [("1", 0, None)]


@contextmanager
def program(endpoint: str, bucket: str, folder: Path, known: Addresses) -> Iterator[Started]:
    """Run the relay as a program; give it, and the lines that it printed for clients."""
    keys = {
        "AWS_ACCESS_KEY_ID": known.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": known.s3_secret_key,
        "PATH": "/usr/bin:/bin",
    }
    source = ["--source", f"{endpoint},{bucket}", "--folder", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "backups.storage.relay", *source],
        env=keys,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        yield running, "".join(running.stdout.readline() for _line in range(7))
        running.kill()


def read_with(lines: str, bucket: str, key: str) -> tuple[bytes, str]:
    """Read an object in a shell that has executed the printed lines."""
    reading = (
        "import boto3, sys\n"
        f"answer = boto3.client('s3').get_object(Bucket='{bucket}', Key='{key}')\n"
        "sys.stdout.buffer.write(answer['Body'].read())\n"
    )
    found = subprocess.run(
        ["/bin/sh", "-c", f'{lines}\nexec "$0" -c "$1"', sys.executable, reading],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return found.stdout, found.stderr.decode()


class TestProgram:
    def test_prints_what_a_client_needs_and_ends_by_a_signal(
        self, s3_server: Addresses, s3_client: "S3Client", s3_bucket: str, tmp_path: Path
    ) -> None:
        s3_client.put_object(Bucket=s3_bucket, Key="small", Body=b"small")
        with program(s3_server.s3_endpoint, s3_bucket, tmp_path, s3_server) as (running, lines):
            content, trouble = read_with(lines, s3_bucket, "small")
            running.send_signal(signal.SIGINT)
            _out, said = running.communicate(timeout=20)

        assert content == b"small", trouble
        assert running.returncode == 0
        assert "The relay has ended" in said
        assert s3_server.s3_secret_key not in lines + said

    @pytest.mark.faults
    def test_goes_on_after_it_was_killed(
        self, s3_server: Addresses, s3_client: "S3Client", s3_bucket: str, tmp_path: Path,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        s3_client.put_object(Bucket=s3_bucket, Key="large", Body=LARGE)
        fault_proxy.faults = Faults(bytes_per_second=10 * MIB)
        with (
            program(fault_proxy.endpoint, s3_bucket, tmp_path, s3_server) as (running, lines),
            ThreadPoolExecutor(1) as pool,
        ):
            reading = pool.submit(read_with, lines, s3_bucket, "large")
            wait_for_bytes(fault_proxy, s3_bucket, "large", len(LARGE) // 2)
            running.kill()
            assert reading.result()[0] != LARGE
        fault_proxy.faults = Faults()

        with program(fault_proxy.endpoint, s3_bucket, tmp_path, s3_server) as (running, lines):
            content, trouble = read_with(lines, s3_bucket, "large")

        assert content == LARGE, trouble
        assert fetched(fault_proxy, s3_bucket, "large") < len(LARGE) * 1.3

    def test_refuses_a_bucket_that_is_not_there(self, s3_server: Addresses, tmp_path: Path) -> None:
        with program(s3_server.s3_endpoint, "not-there", tmp_path, s3_server) as (running, lines):
            _out, said = running.communicate(timeout=20)

        assert lines == ""
        assert running.returncode == 3
        assert "does not exist. Correct --source" in said
        assert "run the same command again" in said
        assert "job" not in said

    @pytest.mark.parametrize(
        ("wrong", "code", "words"),
        [(["--port", "80000"], 2, "give a port"), (["--limit", "1m"], 1, "at least 256 MiB")],
    )
    def test_says_once_what_is_wrong(
        self, wrong: list[str], code: int, words: str, tmp_path: Path
    ) -> None:
        source = ["--source", "http://127.0.0.1:9,b", "--folder", str(tmp_path)]
        ended = subprocess.run(
            [sys.executable, "-m", "backups.storage.relay", *source, *wrong],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

        assert ended.returncode == code
        assert ended.stderr.count(words) == 1
        assert "Traceback" not in ended.stderr

    @pytest.mark.parametrize("wrong", [["--source", "nowhere"], ["--source", "http://x"]])
    def test_says_how_it_is_used(self, wrong: list[str], tmp_path: Path) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "backups.storage.relay", *wrong, "--folder", tmp_path],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

        assert ended.returncode == 2
        assert "URL,BUCKET" in ended.stderr
