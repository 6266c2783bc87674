"""A publisher that is killed, a disk that is full: the page stands, and staff are told."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from incidents import operations
from incidents.models import Incident
from incidents.values import Phase, Severity
from statuspage import publisher
from tests.statuspage.conftest import Visitor

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

# As much as a page needs, and a little more.
_DISK = "1m"


def _program(deed: str, root: Path) -> list[str]:
    name = str(connection.settings_dict["NAME"])
    return [sys.executable, "-m", "tests.faults.publisher", deed, str(root), name]


def _declared() -> Incident:
    return operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=None,
        body="We look into it.",
    )  # fmt: skip


def test_killed_between_two_files(public_root: Path, page_root: Path, visitor: Visitor) -> None:
    incident = _declared()
    before = (page_root / "current").readlink()
    # What the killed publisher was to publish.
    settings.PUBLIC_ROOT = public_root / "elsewhere"
    operations.post_status_update(
        incident_id=incident.pk, body="It was the disk.", phase=Phase.IDENTIFIED,
        at=timezone.now(), author=None,
    )  # fmt: skip
    settings.PUBLIC_ROOT = public_root

    ended = subprocess.run(_program("kill", public_root), check=False, timeout=60)

    assert ended.returncode == -signal.SIGKILL
    # It left half a revision, which nobody is served.
    half = page_root / "revisions" / str(int(before.name) + 1)
    assert (half / "site").is_dir()
    assert not (half / "manifest.json").exists()
    assert (page_root / "current").readlink() == before
    assert "We look into it." in visitor.get("/").text
    assert "It was the disk." not in visitor.get("/").text

    # What it was asked for is still on record, and the next publish does it.
    assert publisher.publish_due()
    assert "It was the disk." in visitor.get("/").text


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """Give the words that run a program with a small disk of its own at ``tmp_path/disk``."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts = f'mount -t tmpfs -o size={_DISK} none "{disk}" && exec "$@"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounts, "sh"]
    able = shutil.which("unshare") and subprocess.run(
        [*words, "true"], check=False, capture_output=True
    )
    if not able or able.returncode:
        pytest.skip("a program cannot have a disk of its own here")
    return words


def test_full_disk(small_disk: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [*small_disk, *_program("fill", tmp_path / "disk")],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    seen: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])

    assert seen["is_full"]
    assert "We look into it." in seen["before"]
    # The old revision stands whole, nothing half-written lies about, and staff are told.
    assert seen["while_full"] == seen["before"]
    assert seen["revisions_while_full"] == seen["revisions_before"]
    assert seen["told"] == ["No space left on the disk of PUBLIC_ROOT."]
    # With room again, the next publish makes up for it.
    assert "It was the disk." in seen["after"]
    assert seen["told_after"] == []
