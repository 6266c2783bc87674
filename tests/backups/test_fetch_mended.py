"""Storages that keep to the letter of the protocol and mislead; each once cost wrong data."""

import base64
import errno
import hashlib
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from backups.errors import EngineFailed, ObjectChanged, ObjectDamaged
from backups.storage import etags, program
from backups.storage.answers import PassingTrouble, meaning_of
from backups.storage.attempt import NoRanges
from backups.storage.fetch import MIB, Fetcher, FetchItem, Source, Sources
from backups.storage.fetcher import OutsideStage
from backups.storage.s3 import Bucket
from backups.storage.sources import ListingRepeats
from backups.storage.values import Credentials, ObjectRef, Place
from backups.storage.wire import Wire

KEYS = Credentials(access_key="k", secret_key="s")


class Origin:
    """A storage of its own mind, as attributes say. Open it with ``with``."""

    def __init__(self, objects: dict[str, bytes], name: str = "first") -> None:
        self.objects, self.name = objects, name
        self.etags: dict[str, str] = {}
        self.page = 1000
        self.list_seconds = 0.0
        self.gives_tokens = self.minds_start_after = self.minds_ranges = True
        # Statuses of the next answers, before any is right.
        self.refusals: list[int] = []
        self.damage: Callable[[str, bytearray], None] = lambda _key, _data: None
        self.matches: list[str | None] = []
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                """Say nothing."""

            def do_GET(self) -> None:
                origin.answer(self)

            def do_HEAD(self) -> None:
                origin.answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def place(self) -> Place:
        return Place(bucket="b", endpoint=f"http://127.0.0.1:{self._server.server_address[1]}")

    @property
    def source(self) -> Source:
        return Source(name=self.name, place=self.place, credentials=lambda: KEYS)

    def etag(self, key: str) -> str:
        return self.etags.get(key) or hashlib.md5(self.objects[key]).hexdigest()  # noqa: S324

    def item(self, key: str, to: str = "") -> FetchItem:
        ref = ObjectRef(key=key, size=len(self.objects[key]), etag=self.etag(key))
        return FetchItem(ref=ref, to=to or key)

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        path = urlsplit(asked.path)
        key = unquote(path.path).lstrip("/").partition("/")[2]
        if self.refusals:
            self._say(asked, self.refusals.pop(), b"")
        elif not key:
            self._say(asked, 200, self._listing(parse_qs(path.query)))
        elif key not in self.objects:
            self._say(asked, 404, b"")
        else:
            self._object(asked, key)

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        time.sleep(self.list_seconds)
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        after = after if self.minds_start_after else ""
        names = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        is_more = len(names) > self.page
        said = f"<IsTruncated>{str(is_more).lower()}</IsTruncated>"
        if is_more and self.gives_tokens:
            said += "<NextContinuationToken>next</NextContinuationToken>"
        for key in names[: self.page]:
            said += f"<Contents><Key>{key}</Key><Size>{len(self.objects[key])}</Size>"
            said += f'<ETag>"{self.etag(key)}"</ETag>'
            said += "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        return f"<ListBucketResult>{said}</ListBucketResult>".encode()

    def _object(self, asked: BaseHTTPRequestHandler, key: str) -> None:
        data = bytearray(self.objects[key])
        self.damage(key, data)
        self.matches.append(asked.headers.get("If-Match"))
        etag = self.etag(key)
        headers = {"ETag": etag if etag.startswith("W/") else f'"{etag}"'}
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("Range") or "")
        if found and self.minds_ranges:
            start, stop = int(found[1]), min(int(found[2]) + 1, len(data))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
            self._say(asked, 206, bytes(data[start:stop]), headers)
        else:
            self._say(asked, 200, bytes(data), headers)

    @staticmethod
    def _say(
        asked: BaseHTTPRequestHandler, status: int, body: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        asked.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            asked.send_header(name, value)
        asked.end_headers()
        if asked.command != "HEAD":
            asked.wfile.write(body)


def content(length: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(length)


def fetched(fetcher: Fetcher, item: FetchItem) -> bytes:
    for _step in fetcher.steps([item]):
        pass
    return fetcher.path_of(item).read_bytes()


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin({}) as found:
        yield found


@pytest.fixture
def sources(origin: Origin) -> Iterator[Sources]:
    found = Sources([origin.source])
    yield found
    found.close()


class TestAListing:
    @pytest.mark.parametrize("trouble", ["slow", "busy", "neither"])
    def test_is_that_of_the_first_source_while_it_lives(self, origin: Origin, trouble: str) -> None:
        names = [f"wal/{number}" for number in range(8)]
        origin.objects = dict.fromkeys(names, b"x")
        origin.list_seconds = 1.2 if trouble == "slow" else 0.0
        origin.refusals = [503] if trouble == "busy" else []
        with Origin(dict.fromkeys(names[:4], b"x"), "lagging") as lagging:
            sources = Sources([origin.source, lagging.source])
            assert [ref.key for ref in sources.list("wal/")] == names
            sources.close()

    def test_of_a_busy_first_source_is_not_taken_from_a_copy(self, origin: Origin) -> None:
        origin.refusals = [503] * 3
        with Origin({"wal/1": b"x"}, "copy") as copy:
            sources = Sources([origin.source, copy.source])
            with pytest.raises(PassingTrouble):
                sources.list_page("wal/")
            sources.close()

    def test_that_breaks_off_without_a_token_goes_on(
        self, origin: Origin, sources: Sources
    ) -> None:
        names = [f"wal/{number:02}" for number in range(25)]
        origin.objects = dict.fromkeys(names, b"x")
        origin.page, origin.gives_tokens = 10, False
        bucket = Bucket(origin.place, KEYS)
        assert [ref.key for ref in sources.list("wal/")] == names
        assert [ref.key for ref in bucket.list("wal/")] == names
        bucket.close()

    def test_that_begins_again_ends_with_an_error(self, origin: Origin, sources: Sources) -> None:
        origin.objects = {f"wal/{number:02}": b"x" for number in range(25)}
        origin.page, origin.minds_start_after = 10, False
        with pytest.raises(ListingRepeats):
            list(sources.list("wal/"))

    def test_refused_here_and_busy_there_may_pass(self, origin: Origin) -> None:
        with Origin({"f": b"x"}, "busy") as busy:
            sources = Sources([origin.source, busy.source])
            origin.refusals, busy.refusals = [403], [503]
            with pytest.raises(PassingTrouble):
                sources.head("f")
            sources.close()


class TestAnAnswer:
    def test_of_a_changed_object_is_refused_by_its_etag(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["f"] = content(2 * MIB, 1)
        item = origin.item("f")
        origin.objects["f"] = content(2 * MIB, 2)
        with Fetcher(sources, tmp_path) as fetcher, pytest.raises(ObjectChanged):
            fetched(fetcher, item)

    def test_with_the_whole_for_a_stretch_is_soon_refused(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["f"] = content(20 * MIB, 1)
        origin.minds_ranges = False
        with Fetcher(sources, tmp_path) as fetcher, pytest.raises(NoRanges):
            fetched(fetcher, origin.item("f"))

    @pytest.mark.parametrize("status", [500, 509, 520, 599])
    def test_with_a_servers_error_may_pass(self, status: int) -> None:
        assert isinstance(meaning_of(status, {}, b"", "f"), PassingTrouble)

    def test_that_it_is_not_implemented_does_not_pass(self) -> None:
        assert isinstance(meaning_of(501, {}, b"", "f"), EngineFailed)

    @pytest.mark.parametrize(
        ("etag", "asked"), [('W/"abc"', None), ("abc", '"abc"')], ids=["weak", "strong"]
    )
    def test_is_asked_to_match_a_strong_etag_only(
        self, etag: str, asked: str | None, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["f"], origin.etags["f"] = b"x" * 100, etag
        ref = sources.head("f")
        with Fetcher(sources, tmp_path) as fetcher:
            assert fetched(fetcher, FetchItem(ref=ref, to="f")) == b"x" * 100
        assert origin.matches == [None, asked]

    def test_is_asked_of_an_address_in_brackets(self) -> None:
        place = Place(bucket="b", endpoint="http://[::1]:9000")
        assert Wire(place).authority == "[::1]:9000"


class TestADenial:
    @pytest.mark.parametrize("status", [412, 416])
    def test_of_an_object_that_nobody_touched_is_asked_about_and_ridden_out(
        self, origin: Origin, sources: Sources, tmp_path: Path, status: int
    ) -> None:
        origin.objects = {"whole": content(MIB, 1)}
        origin.refusals = [status]

        with Fetcher(sources, tmp_path) as fetcher:
            assert fetched(fetcher, origin.item("whole")) == content(MIB, 1)
        assert origin.refusals == []

    def test_of_one_that_was_replaced_is_believed(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects = {"whole": content(MIB, 1)}
        asked = origin.item("whole")
        origin.objects = {"whole": content(MIB, 2)}

        with Fetcher(sources, tmp_path) as fetcher, pytest.raises(ObjectChanged):
            fetched(fetcher, asked)


class TestAnEtag:
    def test_that_disagrees_twice_is_believed_where_others_agree(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects = {"first": content(MIB, 1), "rotten": content(MIB, 2), "later": b"y" * 99}
        flips = ["later"]

        def damage(key: str, data: bytearray) -> None:
            if key == "rotten" or key in flips:
                data[5] ^= 1
            if key in flips:
                flips.remove(key)

        origin.damage = damage
        with Fetcher(sources, tmp_path) as fetcher:
            fetched(fetcher, origin.item("first"))
            with pytest.raises(ObjectDamaged):
                fetched(fetcher, origin.item("rotten"))
            assert fetched(fetcher, origin.item("later")) == b"y" * 99
        assert flips == []

    @pytest.mark.parametrize("said", [None, 40 * MIB, 0, 8 * MIB])
    def test_of_parts_needs_a_length_that_fits_their_number(
        self, said: int | None, tmp_path: Path
    ) -> None:
        data = content(40 * MIB, 1)
        parts = [data[at : at + 8 * MIB] for at in range(0, len(data), 8 * MIB)]
        digests = b"".join(hashlib.md5(part).digest() for part in parts)  # noqa: S324
        etag = f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"  # noqa: S324
        (tmp_path / "f").write_bytes(data)
        with (tmp_path / "f").open("rb") as file:
            assert etags.agrees(file.fileno(), len(data), etag, said) is True

    def test_has_a_crc_beside_it_that_agrees_with_the_same_bytes_only(self, tmp_path: Path) -> None:
        data = content(20 * MIB + 5, 1)
        crcs = b"".join(
            zlib.crc32(data[at : at + 8 * MIB]).to_bytes(4) for at in range(0, len(data), 8 * MIB)
        )
        said = base64.b64encode(zlib.crc32(crcs).to_bytes(4)).decode()
        file = tmp_path / "f"
        file.write_bytes(data)
        altered = tmp_path / "g"
        altered.write_bytes(data[: 9 * MIB] + bytes([data[9 * MIB] ^ 1]) + data[9 * MIB + 1 :])

        with file.open("rb") as one, altered.open("rb") as other:
            size = len(data)
            assert etags.agrees_with_crc(one.fileno(), size, f"{said}-3", 8 * MIB)
            assert not etags.agrees_with_crc(other.fileno(), size, f"{said}-3", 8 * MIB)
            # Of another number of parts, or of the whole in one: that is not what was computed.
            assert not etags.agrees_with_crc(one.fileno(), size, f"{said}-2", 8 * MIB)
            assert not etags.agrees_with_crc(one.fileno(), size, said, 8 * MIB)

    def test_is_no_checksum_of_what_a_key_service_encrypts(self) -> None:
        assert etags.is_encrypted_with_keys({"x-amz-server-side-encryption": "aws:kms"})
        assert not etags.is_encrypted_with_keys({"x-amz-server-side-encryption": "AES256"})

    def test_is_compared_before_a_small_object_may_be_read(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["wal"] = content(2 * MIB, 1)
        flips = [True]

        def damage(_key: str, data: bytearray) -> None:
            if flips:
                flips.pop()
                data[7] ^= 1

        origin.damage = damage
        item = origin.item("wal")
        with Fetcher(sources, tmp_path) as fetcher:
            assert fetcher.wait(item, 0, MIB, seconds=30)
            assert fetcher.path_of(item).read_bytes()[:MIB] == origin.objects["wal"][:MIB]
        assert flips == []


class TestAStage:
    def test_that_gives_bytes_up_while_the_whole_is_looked_at_is_not_finished(
        self, origin: Origin, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = origin.objects["f"] = content(20 * MIB, 1)
        item, looked, go_on, agrees = origin.item("f"), threading.Event(), threading.Event(), (
            etags.agrees
        )  # fmt: skip

        def slowly(descriptor: int, size: int, etag: str, part_bytes: int | None) -> bool | None:
            said = agrees(descriptor, size, etag, part_bytes)
            looked.set()
            go_on.wait(30)
            return said

        with monkeypatch.context() as patch, Fetcher(sources, tmp_path) as fetcher:
            patch.setattr(etags, "agrees", slowly)
            fetcher.want(item)
            assert looked.wait(30)
            fetcher.forget(item, 0, 16 * MIB)
            go_on.set()
            assert fetcher.wait(item, 16 * MIB, 20 * MIB, seconds=30)
        with Fetcher(sources, tmp_path) as fetcher:
            assert fetcher.held(item, 0, len(data)) == 0
            assert fetcher.wait(item, 0, 16 * MIB, seconds=30)
            assert fetcher.path_of(item).read_bytes()[: 16 * MIB] == data[: 16 * MIB]

    def test_is_not_left_by_a_name_with_dots(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["f"] = b"x"
        outside = tmp_path / "evil"
        outside.write_bytes(b"kept")
        item = origin.item("f", to="base/../../evil")
        with Fetcher(sources, tmp_path / "stage") as fetcher:
            with pytest.raises(OutsideStage):
                fetched(fetcher, item)
            with pytest.raises(OutsideStage):
                fetcher.forget(item)
        assert outside.read_bytes() == b"kept"

    def test_writes_to_nobodys_file_once_it_is_closed(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["f"] = b"x" * 100
        with Fetcher(sources, tmp_path / "stage") as fetcher:
            fetched(fetcher, origin.item("f"))
        with (tmp_path / "one").open("wb") as one, (tmp_path / "two").open("wb") as two:
            fetcher.forget(origin.item("f"))
            assert (one.tell(), two.tell()) == (0, 0)
        assert (tmp_path / "one").read_bytes() + (tmp_path / "two").read_bytes() == b""

    def test_waits_for_room_where_an_object_is_taken_in(
        self, origin: Origin, sources: Sources, tmp_path: Path
    ) -> None:
        origin.objects["f"] = b"x" * 100
        tries: list[Path] = []

        def finish(_item: FetchItem, path: Path) -> None:
            tries.append(path)
            if len(tries) == 1:
                raise OSError(errno.ENOSPC, "No space left on device")

        with Fetcher(sources, tmp_path) as fetcher:
            steps = list(fetcher.steps([origin.item("f")], finish=finish))
        assert steps[-1].done == 100
        assert len(tries) == 2


class TestTheProgram:
    def test_goes_on_after_a_death_before_the_rename(
        self, origin: Origin, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        monkeypatch.setattr("signal.signal", lambda *_args: None)
        origin.objects["f"] = content(2 * MIB, 1)
        with Fetcher(sources, tmp_path / "f.highwater") as fetcher:
            fetched(fetcher, origin.item("f", to="data"))
        source = f"{origin.place.endpoint},b,f"
        assert program.main(["--source", source, str(tmp_path / "f")]) == program.DONE
        assert (tmp_path / "f").read_bytes() == origin.objects["f"]

    def test_takes_a_secret_with_a_percent_sign(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "credentials"
        file.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b%c\n")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        source = program.source_of(1, url="http://127.0.0.1:1", bucket="b", prefix="f")
        assert source.credentials().secret_key == "b%c"
