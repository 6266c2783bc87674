"""The folder that is published into: one writer at a time, and no half revision."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings

from statuspage.publisher.site import Draft, Site
from statuspage.serving.manifest import Unreadable
from statuspage.serving.memory import load

# Publishes one revision after the other until it is killed; each says its number everywhere.
ENDLESS = """
import sys
import django
django.setup()
from datetime import datetime, UTC
from pathlib import Path
from statuspage.documents.clauses import Edition
from statuspage.publisher.site import Draft, Site
site = Site(Path(sys.argv[1]))
now = datetime(2026, 1, 12, 12, tzinfo=UTC)
for number in range(1, 100000):
    body = f"revision {number}. ".encode() * 50
    documents = {path: [Edition(valid_from=now, body=body)] for path in ("/", "/live", "/history")}
    with site.alone():
        site.put(Draft(documents=documents), revision=number, generated_at=0.0)
    print(number, flush=True)
"""


class TestPut:
    @pytest.mark.faults
    def test_a_killed_publisher_leaves_a_whole_revision(self, tmp_path: Path) -> None:
        for attempt in range(3):
            writer = subprocess.Popen(
                [sys.executable, "-c", ENDLESS, str(tmp_path / str(attempt))],
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(settings.BASE_DIR)},
            )
            assert writer.stdout is not None
            for _number in range(3 + attempt):
                writer.stdout.readline()
            time.sleep(0.0007 * attempt)
            writer.send_signal(signal.SIGKILL)
            writer.wait(timeout=10)
            writer.stdout.close()

            held = load(Site(tmp_path / str(attempt)).current, before=None, is_private=False)

            bodies = {document.at(0.0)[""].body for document in held.documents.values()}
            assert len(held.documents) == 3
            assert len(bodies) == 1

    def test_readers_see_one_revision_while_others_are_put(self, tmp_path: Path) -> None:
        writer = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(settings.BASE_DIR)},
        )
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            site, seen = Site(tmp_path), set()
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                try:
                    held = load(site.current, before=None, is_private=False)
                except Unreadable:
                    # Overtaken by three revisions while reading: the server looks again, too.
                    continue
                bodies = {document.at(0.0)[""].body for document in held.documents.values()}
                assert len(bodies) == 1
                seen |= bodies
        finally:
            writer.kill()
            writer.communicate(timeout=10)
        assert len(seen) > 1

    def test_only_the_newest_revisions_are_kept(self, tmp_path: Path) -> None:
        site = Site(tmp_path)
        for number in range(1, 8):
            site.put(Draft(), revision=number, generated_at=0.0)

        assert sorted(folder.name for folder in (tmp_path / "revisions").iterdir()) == [
            "5",
            "6",
            "7",
        ]
        assert site.next_revision() == 8


class TestAlone:
    def test_lets_one_in_at_a_time(self, tmp_path: Path) -> None:
        site, inside, most = Site(tmp_path), [0], [0]

        def work() -> None:
            for _turn in range(5):
                with site.alone():
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.002)
                    inside[0] -= 1

        threads = [threading.Thread(target=work) for _number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert most == [1]
