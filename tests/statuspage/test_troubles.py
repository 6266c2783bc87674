"""What the desk says of publishing that does not work, and the room of the copies."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from statuspage import publisher, targets
from statuspage.models import Page, Publication, PublishTarget
from statuspage.publisher.site import Site
from statuspage.publisher.targets import push
from tests.factories import MINUTE, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

DESK = reverse("incidents:incident-list")
LIST = reverse("statuspage:target-list", args=["main"])


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def page(public_root: Path) -> Page:
    publisher.publish_now(now=lambda: NOON)
    return Page.objects.get()


@pytest.fixture
def target(page: Page, tmp_path: Path) -> PublishTarget:
    (tmp_path / "copy").mkdir()
    return targets.add_directory(
        page_id=page.pk, name="web-2", path=str(tmp_path / "copy"), at=NOON
    )


class TestPublishing:
    def test_that_fails_is_said_on_every_page_of_the_desk_until_it_works(
        self, desk: Client, page: Page, page_root: Path
    ) -> None:
        # A folder that is a file: nothing can be written into it.
        blocked = page_root / "revisions"
        kept = blocked.rename(page_root / "kept")
        blocked.write_text("")

        with pytest.raises(NotADirectoryError):
            publisher.publish_now(now=lambda: NOON + MINUTE)
        with pytest.raises(NotADirectoryError):
            publisher.publish_now(now=lambda: NOON + 2 * MINUTE)

        trouble = Publication.objects.get()
        assert trouble.failing_since == NOON + MINUTE
        assert trouble.failure == "PUBLIC_ROOT is no folder."
        for address in (DESK, LIST):
            said = desk.get(address).content.decode()
            assert "cannot be published" in said
            assert "PUBLIC_ROOT is no folder." in said

        blocked.unlink()
        kept.rename(blocked)
        publisher.publish_now(now=lambda: NOON + 3 * MINUTE)

        assert "cannot be published" not in desk.get(DESK).content.decode()
        assert Publication.objects.get().failing_since is None

    def test_that_fails_is_not_ended_by_other_work_that_works(
        self, page: Page, page_root: Path
    ) -> None:
        kept = (page_root / "revisions").rename(page_root / "kept")
        (page_root / "revisions").write_text("")
        with pytest.raises(NotADirectoryError):
            publisher.publish_now(now=lambda: NOON + MINUTE)

        with pytest.raises(NotADirectoryError):
            publisher.publish_due(now=lambda: NOON + 2 * MINUTE)
        (page_root / "revisions").unlink()
        kept.rename(page_root / "revisions")
        publisher.request_tenants(count=1, now=lambda: NOON + 3 * MINUTE)

        assert Publication.objects.get().failing_since == NOON + MINUTE

    def test_says_nothing_to_strangers(self, client: Client, page: Page) -> None:
        Publication.objects.create(page=page, failing_since=NOON, failure="The disk is full.")

        assert "The disk is full." not in client.get("/desk/login/").content.decode()

    def test_of_one_page_keeps_no_other_from_being_published(
        self, page: Page, public_root: Path
    ) -> None:
        other = Page.objects.create(
            slug="other", name="Other", url="https://other.example", created_at=NOON,
            updated_at=NOON,
        )  # fmt: skip
        root = public_root / "pages" / "main"
        (root / "wanted").rename(root / "kept")
        (root / "wanted").write_text("")

        with pytest.raises(FileExistsError):
            publisher.publish_now(now=lambda: NOON + MINUTE)

        assert Site(public_root / "pages" / "other").published() is not None
        assert list(Publication.objects.values_list("page", flat=True)) == [page.pk]
        assert other.pk != page.pk


class TestCopies:
    def test_that_fail_are_said_on_every_page_of_the_desk(
        self, desk: Client, target: PublishTarget
    ) -> None:
        Path(target.path).rmdir()
        push(target)

        said = desk.get(DESK).content.decode()

        assert "The copy “web-2”" in said
        assert "Is its disk mounted?" in said
        targets.switch_target(target_id=target.pk, is_on=False)
        assert "The copy “web-2”" not in desk.get(DESK).content.decode()

    def test_are_added_tried_switched_and_removed(
        self, desk: Client, page: Page, tmp_path: Path
    ) -> None:
        (tmp_path / "copy").mkdir()

        desk.post(LIST, {"kind": "directory", "name": "web-2", "path": str(tmp_path / "copy")})
        target = PublishTarget.objects.get()
        tried = desk.post(reverse("statuspage:target-try", args=[target.pk]), follow=True)
        desk.post(reverse("statuspage:target-switch", args=[target.pk]))

        assert "web-2 takes files, and deletes them." in tried.content.decode()
        assert list((tmp_path / "copy").iterdir()) == []
        assert not PublishTarget.objects.filter(is_on=True).exists()
        desk.post(reverse("statuspage:target-switch", args=[target.pk]), {"on": "1"})
        assert PublishTarget.objects.filter(is_on=True).exists()
        desk.post(reverse("statuspage:target-remove", args=[target.pk]))
        assert not PublishTarget.objects.exists()

    def test_in_a_bucket_are_added(self, desk: Client, page: Page) -> None:
        desk.post(
            LIST,
            {"kind": "s3", "name": "cdn", "bucket": "status", "folder": "/site/", "region": "x",
             "credentials_reference": "env:CDN", "uses_path_style": "on"},
        )  # fmt: skip

        target = PublishTarget.objects.get()
        assert (target.bucket, target.prefix) == ("status", "site")
        assert target.uses_path_style

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ({"kind": "directory", "name": "x", "path": "copies"}, "Give the whole path"),
            ({"kind": "s3", "name": "x", "bucket": "b", "region": "x",
              "credentials_reference": "hunter2"}, "Enter a valid value"),
        ],
    )  # fmt: skip
    def test_that_cannot_be_meant_are_refused(
        self, desk: Client, page: Page, typed: dict[str, str], says: str
    ) -> None:
        answer = desk.post(LIST, typed)

        assert answer.status_code == 422
        assert says in answer.content.decode()
        assert not PublishTarget.objects.exists()

    def test_that_do_not_work_say_why_when_they_are_tried(
        self, desk: Client, target: PublishTarget
    ) -> None:
        Path(target.path).rmdir()

        tried = desk.post(reverse("statuspage:target-try", args=[target.pk]), follow=True)

        assert "Is its disk mounted?" in tried.content.decode()
