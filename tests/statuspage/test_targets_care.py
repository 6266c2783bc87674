"""What a push must never do: delete what is others', go on unwanted, keep staff waiting."""

import shutil
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from pytest_django import Settings

from config.embedded.addresses import Addresses
from incidents.models import Incident
from statuspage import targets
from statuspage.models import Access, Page, PublishTarget
from statuspage.operations import add_page, remove_page, set_access
from statuspage.publisher import forget_removed
from statuspage.publisher import targets as pushing
from statuspage.publisher.targets import bucket as buckets
from statuspage.publisher.targets import push, push_due
from statuspage.publisher.targets.stock import has_name_of_ours
from statuspage.serving.memory import PERSONAL
from tests.factories import MINUTE, NOON
from tests.statuspage.copying import declare, publish, published_page, withdraw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.django_db

CODE = "0123456789bcdfgh"
NAME = "0123456789abcdef0123"


@pytest.fixture
def page(public_root: Path) -> Page:
    return published_page()


@pytest.fixture
def bucket(page: Page, s3_bucket: str, s3_server: Addresses, settings: Settings) -> PublishTarget:
    """Give a target at the root of a bucket."""
    settings.CREDENTIALS = {
        "copies": {"access_key": s3_server.s3_access_key, "secret_key": s3_server.s3_secret_key}
    }
    return targets.add_bucket(
        page_id=page.pk, name="bucket", bucket=s3_bucket, endpoint=s3_server.s3_endpoint,
        uses_path_style=True, credentials_reference="settings:copies", at=NOON,
    )  # fmt: skip


@pytest.fixture
def two(page: Page, tmp_path: Path) -> list[PublishTarget]:
    for name in "ab":
        (tmp_path / name).mkdir()
    return [
        targets.add_directory(page_id=page.pk, name=name, path=str(tmp_path / name), at=NOON)
        for name in "ab"
    ]


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def _keys(client: "S3Client", name: str) -> set[str]:
    return {entry["Key"] for entry in client.list_objects_v2(Bucket=name).get("Contents", [])}


class TestForeignObjects:
    THEIRS = (
        "my/photos/1.jpg",
        "later/x.mp4",
        "beta/live.editions.json",
        "incidents/report",
        "history/2020-01",
        f"my/{CODE}",
        f"later/{NAME}",
    )

    def test_stay_at_a_first_push_to_the_root(
        self, bucket: PublishTarget, s3_client: "S3Client"
    ) -> None:
        for key in self.THEIRS:
            s3_client.put_object(Bucket=bucket.bucket, Key=key, Body=b"theirs")

        assert push(bucket)

        assert set(self.THEIRS) <= _keys(s3_client, bucket.bucket)

    def test_of_another_page_stay(
        self, bucket: PublishTarget, s3_client: "S3Client", page_root: Path
    ) -> None:
        """A page under the prefix `incidents` has keys as the incidents of the one at the root."""
        other = add_page(slug="other", name="Other", url="https://other.example", at=NOON)
        publish()
        below = targets.add_bucket(
            page_id=other.pk, name="below", bucket=bucket.bucket, prefix="incidents",
            endpoint=bucket.endpoint, uses_path_style=True,
            credentials_reference="settings:copies", at=NOON,
        )  # fmt: skip
        assert push(below)
        before = _keys(s3_client, bucket.bucket)
        assert "incidents/live" in before

        assert push(bucket)
        # Nobody remembers what was brought.
        (page_root / "targets" / f"{bucket.pk}.json").unlink()
        publish(NOON + MINUTE)
        assert push(bucket)

        assert before <= _keys(s3_client, bucket.bucket)

    def test_have_no_name_of_ours(self) -> None:
        assert not any(
            has_name_of_ours(file)
            for file in ("my/photos/1.jpg", "later/x.mp4.html", "beta/live.editions.json",
                         "../my.html", "incidents/a/b.html", "wal/000000010000000000000001")
        )  # fmt: skip
        assert all(
            has_name_of_ours(file)
            for file in ("incidents/abc.html", "incidents/abc.html.gz", "history/2026-01.html.br",
                         "incidents/abc.editions.json", f"my/{CODE}.html", f"my/{CODE}.html.later",
                         f"my/{CODE}.later-0.html", f"my/{CODE}.editions.json",
                         f"api/status/v1/my/{CODE}.json", f"later/{NAME}.html",
                         "assets/style.0123456789.css", "api/v2/incidents/abc.json")
        )  # fmt: skip


class TestTenantsOwn:
    def test_are_kept_by_nobody_but_the_tenant(
        self, bucket: PublishTarget, s3_client: "S3Client", page_root: Path
    ) -> None:
        PublishTarget.objects.update(has_my_data=True)
        bucket.refresh_from_db()
        for file in (f"my/{CODE}.html", f"api/status/v1/my/{CODE}.json"):
            (page_root / "archive" / file).parent.mkdir(parents=True)
            (page_root / "archive" / file).write_text("{}")

        push(bucket)

        for key in (f"my/{CODE}", f"api/status/v1/my/{CODE}.json"):
            found = s3_client.head_object(Bucket=bucket.bucket, Key=key)
            assert found["CacheControl"] == PERSONAL


class TestToldToStop:
    @pytest.mark.parametrize("how", ["removed", "off", "private"])
    def test_meanwhile_brings_nothing(
        self, two: list[PublishTarget], monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        first, second = two
        real = pushing.push

        def meanwhile(target: PublishTarget, **kwargs: Any) -> bool:
            done = real(target, **kwargs)
            if target.pk == first.pk:
                _stop(second, how)
            return done

        monkeypatch.setattr(pushing, "push", meanwhile)

        assert push_due(now=_at(NOON)) == 1
        assert list(Path(second.path).iterdir()) == []

    def test_in_the_middle_of_a_push_ends_it(
        self, bucket: PublishTarget, s3_client: "S3Client", page_root: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        real = buckets.Bucket.put

        def remove(place: buckets.Bucket, file: str, body: bytes) -> None:
            real(place, file, body)
            # As another process does it: the row is gone by the next look.
            monkeypatch.setattr(buckets.Bucket, "put", real)
            gone.append(file)

        gone: list[str] = []
        monkeypatch.setattr(buckets.Bucket, "put", remove)
        looks = pushing._look

        def look(target: PublishTarget, **kwargs: Any) -> None:
            if gone:
                targets.remove_target(target_id=target.pk)
            looks(target, **kwargs)

        monkeypatch.setattr(pushing, "_look", look)

        assert not push(bucket)
        assert "index.html" not in _keys(s3_client, bucket.bucket)
        # Nor is it remembered here what lies there.
        assert list((page_root / "targets").iterdir()) == []

    def test_by_the_removal_of_the_page_makes_no_folder(
        self, public_root: Path, page: Page, tmp_path: Path
    ) -> None:
        other = add_page(slug="other", name="Other", url="https://other.example", at=NOON)
        (tmp_path / "copy").mkdir()
        target = targets.add_directory(
            page_id=other.pk, name="copy", path=str(tmp_path / "copy"), at=NOON
        )
        remove_page(page_id=other.pk)
        forget_removed()
        shutil.rmtree(public_root / "pages" / "other", ignore_errors=True)

        assert not push(target)
        assert not (public_root / "pages" / "other").exists()

    def test_a_page_that_never_was_published_has_no_folder_made(
        self, page: Page, page_root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "copy").mkdir()
        target = targets.add_directory(
            page_id=page.pk, name="copy", path=str(tmp_path / "copy"), at=NOON
        )
        shutil.rmtree(page_root)

        assert not push(target)
        assert not page_root.exists()
        target.refresh_from_db()
        assert target.failing_since is None


class TestTrying:
    def test_does_not_wait_for_silence(
        self, bucket: PublishTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[Any] = []
        real = Config

        def config(**kwargs: Any) -> Any:
            made.append(kwargs)
            return real(**kwargs)

        monkeypatch.setattr(buckets, "Config", config)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            PublishTarget.objects.filter(pk=bucket.pk).update(endpoint=address)

            with pytest.raises(targets.TargetUnusable, match="does not answer"):
                targets.try_target(target_id=bucket.pk)
            silent.setblocking(False)  # noqa: FBT003 - the name of the socket's own method
            silent.accept()[0].close()
            # Asked once, and not again.
            with pytest.raises(BlockingIOError):
                silent.accept()

        assert made[0]["connect_timeout"] + made[0]["read_timeout"] <= 4

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"region": "us east 1"}, "no such region or endpoint"),
            ({"endpoint": "http://foo_bar.example"}, "no such region or endpoint"),
            ({"bucket": "b/../c"}, "No bucket can have this name"),
        ],
    )
    def test_what_cannot_be_says_so(
        self, bucket: PublishTarget, changes: dict[str, str], says: str
    ) -> None:
        PublishTarget.objects.filter(pk=bucket.pk).update(**changes)
        bucket.refresh_from_db()

        with pytest.raises(targets.TargetUnusable, match=says):
            targets.try_target(target_id=bucket.pk)
        assert not push(bucket, now=_at(NOON))
        bucket.refresh_from_db()
        assert says in bucket.failure

    @pytest.mark.parametrize(
        "endpoint",
        ["file:///etc/passwd", "gopher://storage.example", "storage.example", "http://",
         "https://key:secret@storage.example", "https://storage.example?x=1",
         "https://storage.example:port", "https://@storage.example"],
    )  # fmt: skip
    def test_an_endpoint_is_the_address_of_a_server(self, page: Page, endpoint: str) -> None:
        with pytest.raises(targets.TargetEndpointUnusable):
            targets.add_bucket(
                page_id=page.pk, name="bucket", bucket="b", endpoint=endpoint,
                credentials_reference="settings:copies", at=NOON,
            )  # fmt: skip
        assert not PublishTarget.objects.exists()


def _stop(target: PublishTarget, how: str) -> None:
    if how == "off":
        targets.switch_target(target_id=target.pk, is_on=False)
    elif how == "removed":
        targets.remove_target(target_id=target.pk)
    else:
        for each in PublishTarget.objects.all():
            targets.remove_target(target_id=each.pk)
        set_access(
            page_id=target.page_id, access=Access.PASSWORD, password="correct horse", at=NOON
        )
        withdraw(Incident.objects.get(title="Tours do not open"))
        declare("Only for insiders")
