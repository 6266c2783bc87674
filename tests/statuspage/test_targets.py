"""Copies of the page elsewhere: in directories and in buckets of a real S3 server."""

import gzip
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from incidents import operations
from incidents.errors import Refused
from incidents.models import Incident
from incidents.values import Phase
from statuspage import targets
from statuspage.models import Access, Page, PublishTarget
from statuspage.operations import PageHasTargets, set_access
from statuspage.publisher.site import Site
from statuspage.publisher.targets import push, push_due
from statuspage.publisher.targets.stock import take_stock
from statuspage.serving import later
from statuspage.serving.manifest import Unreadable
from statuspage.serving.memory import FOR_EVER, FRESH, digest
from tests.factories import HOUR, MINUTE, NOON, ResponderFactory
from tests.statuspage.copying import OLD, publish, published_page, withdraw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.django_db

CODE = "0123456789bcdfgh"


@pytest.fixture
def page(public_root: Path) -> Page:
    return published_page()


@pytest.fixture
def directory(page: Page, tmp_path: Path) -> PublishTarget:
    place = tmp_path / "copy"
    place.mkdir()
    return targets.add_directory(page_id=page.pk, name="copy", path=str(place), at=NOON)


@pytest.fixture
def bucket(
    page: Page, s3_bucket: str, fault_proxy: FaultProxy, s3_server: Addresses, settings: Settings
) -> PublishTarget:
    settings.CREDENTIALS = {
        "copies": {"access_key": s3_server.s3_access_key, "secret_key": s3_server.s3_secret_key},
        "wrong": {"access_key": s3_server.s3_access_key, "secret_key": "wrong"},
    }
    return targets.add_bucket(
        page_id=page.pk,
        name="bucket",
        bucket=s3_bucket,
        prefix="site",
        endpoint=fault_proxy.endpoint,
        uses_path_style=True,
        credentials_reference="settings:copies",
        at=NOON,
    )


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def _keys(client: "S3Client", bucket: str) -> set[str]:
    found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"] for entry in found}


def _uploads(proxy: FaultProxy) -> set[str]:
    """Return which objects were spoken of to the storage."""
    return {key.partition("/")[2] for key, count in proxy.counts().items() if count.bytes_up}


class TestBucket:
    def test_holds_what_is_published_as_visitors_ask_for_it(
        self, bucket: PublishTarget, s3_client: "S3Client"
    ) -> None:
        assert push(bucket)

        over = Incident.objects.get(title="Tours do not open").public_id
        front = _object(s3_client, bucket, "index.html")
        assert "Uploads hang" in gzip.decompress(front["Body"].read()).decode()
        assert front["ContentType"] == "text/html; charset=utf-8"
        assert front["ContentEncoding"] == "gzip"
        assert front["CacheControl"] == FRESH
        old = _object(s3_client, bucket, f"incidents/{over}")
        assert OLD in gzip.decompress(old["Body"].read()).decode()
        summary = _object(s3_client, bucket, "api/v2/summary.json")
        # Programs may not ask for gzip, and the storage does not ask them.
        assert "ContentEncoding" not in summary
        assert json.loads(summary["Body"].read())["status"]
        assert "404.html" in {key.rpartition("/")[2] for key in _keys(s3_client, bucket.bucket)}
        style = next(
            key for key in _keys(s3_client, bucket.bucket) if key.startswith("site/assets/")
        )
        assert s3_client.head_object(Bucket=bucket.bucket, Key=style)["CacheControl"] == FOR_EVER

    def test_is_sent_only_what_changed(
        self, bucket: PublishTarget, fault_proxy: FaultProxy
    ) -> None:
        push(bucket)
        fault_proxy.ledger.clear()

        assert push(bucket)
        assert fault_proxy.total().requests == 0

        incident = Incident.objects.get(title="Uploads hang")
        operations.post_status_update(
            incident_id=incident.pk, body="It was the disk.", phase=Phase.IDENTIFIED,
            at=NOON + MINUTE, author=None,
        )  # fmt: skip
        publish(NOON + MINUTE)
        push(bucket)

        sent = _uploads(fault_proxy)
        over = Incident.objects.get(title="Tours do not open").public_id
        assert {"site/index.html", f"site/incidents/{incident.public_id}"} <= sent
        assert f"site/incidents/{over}" not in sent
        assert not any("/assets/" in key for key in sent)
        assert all(
            count.requests == 1
            for key, count in fault_proxy.counts().items()
            if key.partition("/")[2] in sent
        )

    def test_is_not_sent_what_was_written_anew_and_is_the_same(
        self, bucket: PublishTarget, fault_proxy: FaultProxy, page_root: Path
    ) -> None:
        push(bucket)
        fault_proxy.ledger.clear()

        over = Incident.objects.get(title="Tours do not open").public_id
        file = page_root / "archive" / "incidents" / f"{over}.html"
        Site(page_root).replace_archived(f"/incidents/{over}", file.read_bytes())
        publish(NOON + MINUTE)
        push(bucket)

        assert "site/index.html" in _uploads(fault_proxy)
        assert f"site/incidents/{over}" not in _uploads(fault_proxy)

    def test_loses_what_was_withdrawn(
        self, bucket: PublishTarget, s3_client: "S3Client", page_root: Path
    ) -> None:
        push(bucket)
        incident = Incident.objects.get(title="Tours do not open")
        key = f"site/incidents/{incident.public_id}"
        assert key in _keys(s3_client, bucket.bucket)

        withdraw(incident)
        push(bucket)

        assert key not in _keys(s3_client, bucket.bucket)

    def test_loses_it_even_when_nobody_remembers_it(
        self, bucket: PublishTarget, s3_client: "S3Client", page_root: Path
    ) -> None:
        push(bucket)
        incident = Incident.objects.get(title="Tours do not open")
        withdraw(incident)
        (page_root / "targets" / f"{bucket.pk}.json").unlink()
        # Somebody else's, under the same prefix.
        s3_client.put_object(Bucket=bucket.bucket, Key="site/theirs.txt", Body=b"theirs")

        push(bucket)

        keys = _keys(s3_client, bucket.bucket)
        assert f"site/incidents/{incident.public_id}" not in keys
        assert "site/theirs.txt" in keys

    def test_goes_on_where_it_was_cut_short(
        self, bucket: PublishTarget, fault_proxy: FaultProxy, s3_client: "S3Client"
    ) -> None:
        fault_proxy.faults = Faults(error_share=1.0, keys="*/site/index.html")
        assert not push(bucket)
        assert "site/index.html" not in _keys(s3_client, bucket.bucket)
        fault_proxy.ledger.clear()

        fault_proxy.faults = Faults()
        assert push(bucket)

        last = ("site/index.html", ".editions.json")
        assert all(key.endswith(last) for key in _uploads(fault_proxy))
        assert "site/index.html" in _keys(s3_client, bucket.bucket)

    def test_takes_the_next_revision_when_one_is_overtaken(
        self, bucket: PublishTarget, directory: PublishTarget, page_root: Path
    ) -> None:
        stock = take_stock(page_root, with_personal=False)
        shutil.rmtree(stock.folder)

        with pytest.raises(Unreadable):
            stock.documents[0].body()
        for target in (bucket, directory):
            assert not push(target)
            target.refresh_from_db()
            assert target.failing_since is None
        publish(NOON + MINUTE)
        assert push_due(now=_at(NOON + MINUTE)) == 2

    def test_stops_in_time_and_goes_on(self, bucket: PublishTarget, s3_client: "S3Client") -> None:
        assert not push(bucket, seconds=-1)
        bucket.refresh_from_db()
        assert bucket.failing_since is None
        assert "site/index.html" not in _keys(s3_client, bucket.bucket)

        assert push(bucket)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"credentials_reference": "settings:wrong"}, "its secret is another"),
            ({"credentials_reference": "settings:other"}, "There are no keys at settings:other"),
            ({"endpoint": "http://127.0.0.1:9"}, "The storage does not answer."),
        ],
    )
    def test_that_takes_nothing_says_why(
        self, bucket: PublishTarget, changes: dict[str, str], says: str
    ) -> None:
        PublishTarget.objects.filter(pk=bucket.pk).update(**changes)
        bucket.refresh_from_db()

        with pytest.raises(targets.TargetUnusable, match=says):
            targets.try_target(target_id=bucket.pk)
        assert not push(bucket, now=_at(NOON))

        bucket.refresh_from_db()
        assert says in bucket.failure
        assert bucket.failing_since == NOON

    def test_that_is_tried_keeps_nothing_of_it(
        self, bucket: PublishTarget, s3_client: "S3Client"
    ) -> None:
        targets.try_target(target_id=bucket.pk)

        assert _keys(s3_client, bucket.bucket) == set()


class TestTenantsOwn:
    def test_are_left_out_unless_asked_for(
        self, bucket: PublishTarget, directory: PublishTarget, s3_client: "S3Client",
        page_root: Path,
    ) -> None:  # fmt: skip
        _tell_tenant(page_root)

        push_due(now=_at(NOON))

        assert not any(CODE in key for key in _keys(s3_client, bucket.bucket))
        assert not list(Path(directory.path).rglob(f"*{CODE}*"))

    def test_are_brought_with_what_they_say_later(
        self, bucket: PublishTarget, directory: PublishTarget, s3_client: "S3Client",
        page_root: Path,
    ) -> None:  # fmt: skip
        PublishTarget.objects.update(has_my_data=True)
        _tell_tenant(page_root)

        push_due(now=_at(NOON))

        listed = json.loads(_object(s3_client, bucket, f"my/{CODE}.editions.json")["Body"].read())
        assert listed == [["2026-01-12T13:00:00+00:00", f"/my/{CODE}.later-0"]]
        for key, says in ((f"my/{CODE}", b"Your data is back."), (listed[0][1][1:], b"This copy")):
            assert says in gzip.decompress(_object(s3_client, bucket, key)["Body"].read())
        place = Path(directory.path) / "archive" / "my"
        assert json.loads((place / f"{CODE}.editions.json").read_bytes()) == listed
        assert (place / f"{CODE}.later-0.html").read_text() == "This copy is old."

    def test_are_taken_away_when_they_are_no_longer_asked_for(
        self, bucket: PublishTarget, directory: PublishTarget, s3_client: "S3Client",
        page_root: Path,
    ) -> None:  # fmt: skip
        PublishTarget.objects.update(has_my_data=True)
        _tell_tenant(page_root)
        push_due(now=_at(NOON))

        PublishTarget.objects.update(has_my_data=False, pushed_at=None)
        push_due(now=_at(NOON + MINUTE))

        assert not any(CODE in key for key in _keys(s3_client, bucket.bucket))
        assert not list(Path(directory.path).rglob(f"*{CODE}*"))


class TestPushDue:
    def test_serves_the_others_when_one_fails(
        self, bucket: PublishTarget, directory: PublishTarget, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(down=True)

        assert push_due(now=_at(NOON)) == 1

        directory.refresh_from_db()
        bucket.refresh_from_db()
        assert directory.pushed_revision == 1
        assert bucket.failing_since == NOON

    def test_rests_from_a_failing_target_and_recovers(
        self, bucket: PublishTarget, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(down=True)
        push_due(now=_at(NOON))
        fault_proxy.faults = Faults()

        assert push_due(now=_at(NOON)) == 0
        assert push_due(now=_at(NOON + MINUTE)) == 1

        bucket.refresh_from_db()
        assert (bucket.failing_since, bucket.failure) == (None, "")

    def test_leaves_alone_what_is_up_to_date(
        self, bucket: PublishTarget, fault_proxy: FaultProxy
    ) -> None:
        push_due(now=_at(NOON))
        fault_proxy.ledger.clear()

        assert push_due(now=_at(NOON + HOUR)) == 0
        assert fault_proxy.total().requests == 0

    def test_brings_what_tenants_are_told_between_two_revisions(
        self, directory: PublishTarget, page_root: Path
    ) -> None:
        PublishTarget.objects.update(has_my_data=True)
        push_due(now=_at(NOON))
        own = _tell_tenant(page_root)

        assert push_due(now=_at(NOON + MINUTE)) == 1

        copied = Path(directory.path) / "archive" / "my" / own.name
        assert copied.read_text() == "Your data is back."

    def test_leaves_alone_what_is_off(self, directory: PublishTarget) -> None:
        targets.switch_target(target_id=directory.pk, is_on=False)

        assert push_due(now=_at(NOON)) == 0

    def test_leaves_alone_what_another_process_holds(
        self, directory: PublishTarget, page_root: Path
    ) -> None:
        import fcntl  # noqa: PLC0415 - what the other process does

        (page_root / "targets").mkdir()
        with (page_root / "targets" / f"{directory.pk}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert push_due(now=_at(NOON)) == 0
        assert push_due(now=_at(NOON)) == 1


class TestTargets:
    def test_are_refused_to_private_pages(self, page: Page, tmp_path: Path) -> None:
        Page.objects.update(access=Access.VIEWERS)

        with pytest.raises(targets.PrivatePageHasNoTargets):
            targets.add_directory(
                page_id=page.pk, name="copy", path=str(tmp_path / "copy"), at=NOON
            )

    def test_keep_a_page_public(self, directory: PublishTarget) -> None:
        with pytest.raises(PageHasTargets):
            set_access(page_id=directory.page_id, access=Access.VIEWERS, at=NOON)

    def test_carry_nothing_private(self, directory: PublishTarget) -> None:
        Page.objects.update(access=Access.VIEWERS)
        directory.refresh_from_db()

        assert not push(directory)
        assert list(Path(directory.path).iterdir()) == []

    @pytest.mark.parametrize("path", ["copies", "/", "PUBLIC_ROOT", "PUBLIC_ROOT/pages"])
    def test_lie_outside_of_the_page(self, page: Page, public_root: Path, path: str) -> None:
        place = path.replace("PUBLIC_ROOT", str(public_root))

        with pytest.raises(targets.TargetPathUnusable):
            targets.add_directory(page_id=page.pk, name="copy", path=place, at=NOON)

    @pytest.mark.parametrize(
        ("name", "inside", "refusal"),
        [
            ("copy", "other", targets.TargetNameTaken),
            ("other", "copy", targets.TargetPlaceTaken),
        ],
    )
    def test_have_a_name_and_a_place_of_their_own(
        self, directory: PublishTarget, tmp_path: Path, name: str, inside: str,
        refusal: type[Refused],
    ) -> None:  # fmt: skip
        with pytest.raises(refusal):
            targets.add_directory(
                page_id=directory.page_id, name=name, path=str(tmp_path / inside), at=NOON
            )

    def test_are_forgotten_and_left_where_they_lie(
        self, bucket: PublishTarget, s3_client: "S3Client", page_root: Path
    ) -> None:
        push(bucket)

        targets.remove_target(target_id=bucket.pk)

        assert not PublishTarget.objects.exists()
        assert list((page_root / "targets").iterdir()) == []
        assert "site/index.html" in _keys(s3_client, bucket.bucket)

    def test_are_named_before_their_page_goes(
        self, directory: PublishTarget, client: Client
    ) -> None:
        client.force_login(ResponderFactory.create())
        ask = reverse("statuspage:page-remove", args=[directory.page.slug])

        assert directory.path in client.get(ask).content.decode()

        targets.remove_target(target_id=directory.pk)
        # There may be copies of before.
        assert "Copies of it elsewhere stay" in client.get(ask).content.decode()


class TestCommand:
    def test_waits_until_it_is_there(
        self, directory: PublishTarget, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("push_targets")

        assert "copy is up to date." in capsys.readouterr().out
        assert (Path(directory.path) / "current").exists()

    def test_names_what_fails(
        self, directory: PublishTarget, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path(directory.path).rmdir()

        with pytest.raises(CommandError, match="1 of the targets"):
            call_command("push_targets", "--target", "copy")
        assert "Is its disk mounted?" in capsys.readouterr().err


def _tell_tenant(page_root: Path) -> Path:
    """Write a tenant's own page with what it says later, as the publisher does."""
    own = page_root / "archive" / "my" / f"{CODE}.html"
    own.parent.mkdir(parents=True)
    body = b"Your data is back."
    coming = [((NOON + HOUR).timestamp(), b"This copy is old.")]
    later.beside(own).write_bytes(later.content(digest(body), coming))
    own.write_bytes(body)
    head = page_root / "tenants" / "head.json"
    head.parent.mkdir(exist_ok=True)
    head.write_text("{}")
    return own


def _object(client: "S3Client", target: PublishTarget, name: str) -> Any:
    return client.get_object(Bucket=target.bucket, Key=f"site/{name}")
