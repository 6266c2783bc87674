"""What a relay meets besides its storage: full disks, spoilt files, odd listings, its own end."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from backups.errors import EngineFailed, StorageUnavailable
from backups.storage.items import MIB, PART_BYTES, FetchItem
from backups.storage.relay import LimitTooSmall, Relay
from backups.storage.relay.cache import RESERVE_BYTES
from backups.storage.relay.catalogue import Catalogue, ListingStuck
from backups.storage.relay.certificate import Certificate
from backups.storage.relay.shelf import LEAST_LIMIT, Shelf
from backups.storage.s3 import ObjectRef, Page
from backups.storage.sources import Sources
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.relays import client_of, read, sources_at

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = bytes(range(256)) * (4096 * 40)  # 40 MiB
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def sources(s3_bucket: str, s3_server: Addresses, fault_proxy: FaultProxy) -> Iterator[Sources]:
    with sources_at(fault_proxy.endpoint, s3_bucket, s3_server) as found:
        yield found


def used(folder: Path) -> int:
    """Return how much disk the cache takes."""
    objects = folder / "cache" / "objects"
    return sum(file.stat().st_blocks * 512 for file in objects.iterdir()) if objects.exists() else 0


class TestTheDisk:
    def test_keeps_to_a_disk_that_is_smaller_than_its_limit(
        self, sources: Sources, tmp_path: Path, s3_client: "S3Client", s3_bucket: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        disk = LEAST_LIMIT + 16 * MIB
        content = LARGE * 10  # 400 MiB
        s3_client.put_object(Bucket=s3_bucket, Key="huge", Body=content)
        monkeypatch.setattr(
            os,
            "statvfs",
            lambda _path: SimpleNamespace(
                f_bavail=disk + RESERVE_BYTES - used(tmp_path), f_frsize=1
            ),
        )
        most = 0
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            body = client.get_object(Bucket=s3_bucket, Key="huge")["Body"]
            at = 0
            while data := body.read(16 * MIB):
                assert data == content[at : at + len(data)]
                at += len(data)
                most = max(most, used(tmp_path))

        assert at == len(content)
        assert most <= disk + RESERVE_BYTES

    def test_refuses_a_disk_that_is_too_small_to_work_with(
        self, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            os, "statvfs", lambda _path: SimpleNamespace(f_bavail=LEAST_LIMIT, f_frsize=1)
        )

        with Relay(sources, tmp_path) as relay, pytest.raises(LimitTooSmall) as refused:
            relay.require_room()

        assert "Make room" in refused.value.advice

    def test_lets_go_what_nobody_reads_when_the_disk_is_full(
        self, sources: Sources, tmp_path: Path, s3_client: "S3Client", s3_bucket: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        for name in ("old", "new"):
            s3_client.put_object(Bucket=s3_bucket, Key=name, Body=LARGE)
        write = os.pwrite

        def write_while_there_is_room(descriptor: int, data: bytes, at: int) -> int:
            if used(tmp_path) + len(data) > len(LARGE) + 16 * MIB:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data, at)

        monkeypatch.setattr(os, "pwrite", write_while_there_is_room)
        with Relay(sources, tmp_path) as relay, client_of(relay) as client:
            assert read(client, s3_bucket, "old") == LARGE
            assert read(client, s3_bucket, "new") == LARGE

            assert relay.status().held_bytes == len(LARGE)

    def test_a_shelf_that_shrank_grows_again(self) -> None:
        forgotten: list[str] = []
        fetcher = SimpleNamespace(
            forget=lambda item, _start=0, _stop=None: forgotten.append(item.to)
        )
        shelf = Shelf(fetcher, limit_bytes=2 * PART_BYTES)
        items = [
            FetchItem(ref=ObjectRef(key=name, size=PART_BYTES, etag="x"), to=name)
            for name in ("a", "b")
        ]
        for item in items:
            assert shelf.claim(item, 0, PART_BYTES, demanded=False)

        shelf.fit(PART_BYTES)
        assert forgotten == ["a"]
        assert not shelf.claim(items[0], 0, PART_BYTES, demanded=False)

        shelf.fit(100 * PART_BYTES)
        assert shelf.claim(items[0], 0, PART_BYTES, demanded=False)
        assert shelf.held_bytes == 2 * PART_BYTES


class TestSpoiltFiles:
    @pytest.mark.parametrize("spoilt", ["null", "[]", "{", "", '{"access_key": 1}'])
    def test_makes_new_keys(self, spoilt: str, sources: Sources, tmp_path: Path) -> None:
        (tmp_path / "keys.json").write_text(spoilt)

        with Relay(sources, tmp_path) as relay:
            keys = relay.credentials
        with Relay(sources, tmp_path) as relay:
            assert relay.credentials == keys

        assert keys.access_key
        assert keys.secret_key

    @pytest.mark.parametrize("name", ["ca.pem", "server.pem"])
    @pytest.mark.parametrize("share", [0.0, 0.5])
    def test_makes_a_new_certificate(self, name: str, share: float, tmp_path: Path) -> None:
        Certificate.in_folder(tmp_path, at=NOW)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])

        made = Certificate.in_folder(tmp_path, at=NOW)

        made.context()
        kept = made.ca_file.read_bytes()
        assert Certificate.in_folder(tmp_path, at=NOW + timedelta(days=1)) == made
        assert made.ca_file.read_bytes() == kept

    def test_makes_a_new_certificate_if_another_authority_signed(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        Certificate.in_folder(other, at=NOW)
        known = Certificate.in_folder(tmp_path, at=NOW)
        (other / "ca.pem").replace(known.ca_file)
        strange = known.ca_file.read_bytes()

        assert Certificate.in_folder(tmp_path, at=NOW).ca_file.read_bytes() != strange


class Scripted:
    """Sources whose listings a test makes up."""

    def __init__(self, *pages: Page | Exception) -> None:
        self.pages = list(pages)
        self.asked: list[str] = []

    def list_page(self, _prefix: str, *, after: str, **_other: Any) -> Page:
        self.asked.append(after)
        page = self.pages[min(len(self.asked), len(self.pages)) - 1]
        if isinstance(page, Exception):
            raise page
        return page


def page(*keys: str, token: str = "") -> Page:
    refs = [ObjectRef(key=key, size=1, etag="x") for key in keys]
    return Page(objects=refs, prefixes=[], next_token=token)


@pytest.fixture
def catalogue(scripted: Scripted) -> Iterator[Catalogue]:
    found = Catalogue(scripted, outage_seconds=1)  # type: ignore[arg-type]
    yield found
    found.close()


class TestCatalogue:
    @pytest.fixture
    def scripted(self, request: pytest.FixtureRequest) -> Scripted:
        return Scripted(*request.param)

    @pytest.mark.parametrize("scripted", [[EngineFailed("refused")]], indirect=True)
    def test_takes_an_answer_that_comes_at_once(
        self, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        submit = ThreadPoolExecutor.submit

        def submit_and_wait(*given: Any) -> "Future[Any]":
            future = submit(*given)
            future.exception(5)
            return future

        monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_and_wait)
        said: list[BaseException | None] = []
        asker = threading.Thread(
            target=lambda: said.append(catalogue.listing("a/").exception(5)), daemon=True
        )
        asker.start()
        asker.join(10)

        assert [str(each) for each in said] == ["refused"]

    @pytest.mark.parametrize("scripted", [[page("a/1", "a/2", token="x")]], indirect=True)
    def test_ends_a_listing_that_does_not_go_on(
        self, catalogue: Catalogue, scripted: Scripted
    ) -> None:
        with pytest.raises(ListingStuck):
            catalogue.listing("a/").result(10)

        assert scripted.asked == ["", "a/2"]

    @pytest.mark.parametrize(
        "scripted", [[page("a/1", "a/2", token="x"), page("a/3")]], indirect=True
    )
    def test_goes_on_by_keys(self, catalogue: Catalogue, scripted: Scripted) -> None:
        assert list(catalogue.listing("a/").result(10).keys) == ["a/1", "a/2", "a/3"]
        assert scripted.asked == ["", "a/2"]

    @pytest.mark.parametrize("scripted", [[page("a/1")]], indirect=True)
    def test_asks_nothing_once_closed(self, catalogue: Catalogue, scripted: Scripted) -> None:
        catalogue.close()

        with pytest.raises(StorageUnavailable):
            catalogue.listing("a/").result(10)
        assert scripted.asked == []


class TestTheEnd:
    def test_no_reader_outlives_the_relay(
        self, sources: Sources, tmp_path: Path, s3_client: "S3Client", s3_bucket: str,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        s3_client.put_object(Bucket=s3_bucket, Key="large", Body=LARGE)
        with ThreadPoolExecutor(2) as pool:
            with Relay(sources, tmp_path) as relay, client_of(relay) as client:
                body = client.get_object(Bucket=s3_bucket, Key="large")["Body"]
                fault_proxy.faults = Faults(bytes_per_second=1000)
                waiting = pool.submit(read_or_not, client, s3_bucket)
                wait_for_connections(2)
            left = connections()
            body.close()
            waiting.result(20)

        assert left == []


def read_or_not(client: "S3Client", bucket: str) -> None:
    with suppress(BotoCoreError, ClientError):
        read(client, bucket, "large")


def connections() -> list[threading.Thread]:
    """Name the threads of a relay's connections."""
    return [each for each in threading.enumerate() if each.name == "relay-connection"]


def wait_for_connections(count: int) -> None:
    deadline = time.monotonic() + 20
    while len(connections()) < count:
        assert time.monotonic() < deadline, "nobody connected"
        time.sleep(0.02)
