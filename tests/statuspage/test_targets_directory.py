"""Copies of the page in a directory."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from incidents.models import Incident
from statuspage import targets
from statuspage.models import PublishTarget
from statuspage.publisher.targets import push
from tests.factories import MINUTE, NOON
from tests.statuspage.copying import OLD, publish, published_page, withdraw

pytestmark = pytest.mark.django_db


@pytest.fixture
def directory(public_root: Path, tmp_path: Path) -> PublishTarget:
    place = tmp_path / "copy"
    place.mkdir()
    page = published_page()
    return targets.add_directory(page_id=page.pk, name="copy", path=str(place), at=NOON)


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


class TestDirectory:
    def test_holds_what_is_published(self, directory: PublishTarget, page_root: Path) -> None:
        assert push(directory, now=_at(NOON))

        here, there = page_root / "current", Path(directory.path) / "current"
        for file in (here / "site").rglob("*"):
            if file.is_file():
                copy = there / "site" / file.relative_to(here / "site")
                assert copy.read_bytes() == file.read_bytes()
        archived = {
            str(file.relative_to(page_root)) for file in (page_root / "archive").rglob("*.*")
        }
        assert archived
        assert archived == {
            str(file.relative_to(directory.path))
            for file in (Path(directory.path) / "archive").rglob("*.*")
        }
        directory.refresh_from_db()
        assert (directory.pushed_revision, directory.pushed_at) == (1, NOON)

    def test_is_switched_as_a_whole(self, directory: PublishTarget) -> None:
        push(directory)
        switch = Path(directory.path) / "current"
        first = switch.readlink()

        publish(NOON + MINUTE)
        push(directory)

        assert switch.is_symlink()
        assert switch.readlink() != first
        assert (Path(directory.path) / first).is_dir()

    def test_keeps_the_revision_before_when_a_push_was_cut_short(
        self, directory: PublishTarget
    ) -> None:
        push(directory)
        place = Path(directory.path)
        before = (place / "current").readlink()
        # As a push leaves it that was killed between two files.
        half = place / "revisions" / "2.0badcafe" / "site"
        half.mkdir(parents=True)
        (half / "index.html").write_text("<h1>Half a page")
        (place / "archive" / ".x.html.0badcafe").write_text("half")

        assert (place / "current").readlink() == before
        publish(NOON + MINUTE)
        assert push(directory)

        page = (place / "current" / "site" / "index.html").read_text()
        assert "Half a page" not in page
        assert "Uploads hang" in page

    def test_takes_away_what_was_withdrawn(self, directory: PublishTarget) -> None:
        push(directory)
        incident = Incident.objects.get(title="Tours do not open")
        file = Path(directory.path) / "archive" / "incidents" / f"{incident.public_id}.html"
        assert OLD in file.read_text()

        withdraw(incident)
        push(directory)

        assert not file.exists()
        assert not file.with_name(f"{file.name}.gz").exists()

    def test_that_is_gone_is_not_made_anew(self, directory: PublishTarget) -> None:
        Path(directory.path).rmdir()

        assert not push(directory, now=_at(NOON))

        directory.refresh_from_db()
        assert directory.failing_since == NOON
        assert "Is its disk mounted?" in directory.failure
        assert not Path(directory.path).exists()

    def test_has_the_later_editions_for_the_script(self, directory: PublishTarget) -> None:
        push(directory)

        site = Path(directory.path) / "current" / "site"
        opened = Incident.objects.get(title="Uploads hang").public_id
        for page in ("live", f"incidents/{opened}"):
            editions = json.loads((site / f"{page}.editions.json").read_bytes())
            moments = [moment for moment, _path in editions]
            assert moments
            assert moments == sorted(moments)
            for _moment, path in editions:
                assert (site / f"{path[1:]}.html").read_text()


class TestForeign:
    """What is not ours stays, whatever it is called."""

    def test_a_folder_that_holds_other_things_is_refused(self, directory: PublishTarget) -> None:
        place = Path(directory.path)
        log = place / "archive" / "wal" / "000000010000000000000001"
        log.parent.mkdir(parents=True)
        log.write_text("WAL")
        for number in range(6):
            (place / "revisions" / str(number)).mkdir(parents=True)

        with pytest.raises(targets.TargetUnusable, match="holds other things"):
            targets.try_target(target_id=directory.pk)
        assert not push(directory, now=_at(NOON))

        directory.refresh_from_db()
        assert "Give an empty one." in directory.failure
        assert log.read_text() == "WAL"
        assert len(list((place / "revisions").iterdir())) == 6
        assert not (place / "current").exists()

    def test_files_beside_ours_stay(self, directory: PublishTarget) -> None:
        push(directory)
        place = Path(directory.path)
        theirs = [
            place / "archive" / "wal" / "000000010000000000000001",
            # Named as ours are.
            place / "archive" / "incidents" / "report.html",
            place / "archive" / "my" / "photos" / "1.jpg",
            *(place / "revisions" / str(number) / "theirs" for number in range(6)),
            place / "revisions" / "1.0badcafe" / "theirs",
        ]
        for file in theirs:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("theirs")

        for minute in range(1, 5):
            publish(NOON + minute * MINUTE)
            assert push(directory)

        assert all(file.exists() for file in theirs)

    def test_our_own_old_revisions_go(self, directory: PublishTarget) -> None:
        for minute in range(5):
            publish(NOON + minute * MINUTE)
            assert push(directory)

        assert len(list((Path(directory.path) / "revisions").iterdir())) == 3

    def test_what_a_killed_push_left_is_ours(
        self, directory: PublishTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        def killed(*_args: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr("statuspage.publisher.targets.directory._switch", killed)
            with pytest.raises(Killed):
                push(directory)
        withdraw(Incident.objects.get(title="Tours do not open"))

        assert push(directory)
        assert not [
            file for file in (Path(directory.path) / "archive").rglob("*.html")
            if OLD in file.read_text()
        ]  # fmt: skip

    def test_a_new_disk_is_empty(self, directory: PublishTarget) -> None:
        (Path(directory.path) / "lost+found").mkdir()
        # As a worker leaves it that was killed as it marked the folder.
        (Path(directory.path) / ".highwater.0badcafe").write_text("{")

        assert push(directory)

    def test_a_broken_list_is_told_of(self, directory: PublishTarget) -> None:
        push(directory)
        (Path(directory.path) / ".highwater").write_text("")

        assert not push(directory)

        directory.refresh_from_db()
        assert "is broken" in directory.failure

    def test_a_removed_target_that_comes_back_goes_on(self, directory: PublishTarget) -> None:
        push(directory)
        targets.remove_target(target_id=directory.pk)
        again = targets.add_directory(
            page_id=directory.page_id, name="copy", path=directory.path, at=NOON
        )
        withdraw(Incident.objects.get(title="Tours do not open"))

        assert push(again)
        assert not [
            file for file in (Path(directory.path) / "archive").rglob("*.html")
            if OLD in file.read_text()
        ]  # fmt: skip
