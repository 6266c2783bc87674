"""A runbook says what is configured, exactly, and what of it a drill has proven."""

import os
import shlex
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backups.options import Range
from backups.runbook import (
    Command,
    Contact,
    Drilled,
    Facts,
    Loss,
    Newest,
    Place,
    Section,
    Target,
    as_markdown,
    make_runbook,
)
from config.embedded.addresses import Addresses
from tests.factories import HOUR, NOON

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DAY = timedelta(days=1)
PLAN = "latest-20261122t234107000000-b3-p1-t5-stream"
OWN = Place(
    name="offsite", endpoint="https://s3.example.net", bucket="backups", prefix="pg/",
    region="eu-central-1", reference="file:/etc/highwater/shop keys.json",
)  # fmt: skip
COPY = Place(
    name="copy", endpoint="", bucket="backups-copy", prefix="", region="us-east-1",
    reference="env:COPY",
)  # fmt: skip
SPARE = Target(
    id=5, name="spare", host="db2", port=5500, data_dir="/srv/restore/data",
    work_dir="/srv/restore/work", queue="restores", major=17,
)  # fmt: skip
OTHER = Target(
    id=6, name="other", host="db3", port=5501, data_dir="/srv/o/data", work_dir="/srv/o/work",
    queue="restores", trouble="no worker has looked at it",
)  # fmt: skip
NEWEST = Newest(
    engine_id="20261122T010000", name="nightly", ended_at=NOON - HOUR, major=17,
    begin_wal="000000010000000000000004", has_manifest=True,
)  # fmt: skip


def drilled(**said: Any) -> Drilled:
    plain: dict[str, Any] = {
        "number": 7, "has_passed": True, "ended_at": NOON - 3 * DAY, "target_id": 5,
        "target": "spare", "strategy": "STREAM", "engine_fits": True,
        "measured": timedelta(minutes=42), "phases": {"FETCH": 1200.0, "REPLAY": 900.0},
    }  # fmt: skip
    return Drilled(**plain | said)


def facts(**said: Any) -> Facts:
    plain: dict[str, Any] = {
        "at": NOON, "name": "shop", "engine": "BARMAN_CLOUD", "engine_words": "Barman",
        "host": "db1", "port": 5432, "superuser": "postgres", "archive": "main",
        "password_reference": "file:/etc/highwater/shop.json", "places": [OWN],
        "targets": [SPARE, OTHER], "newest": NEWEST,
        "loss": Loss(
            at=NOON - HOUR, words="To the latest, from nightly.", lost=timedelta(minutes=5),
            back=Range(1800, 2400, 3600), plan_code=PLAN, basis="3 drills",
        ),
        "incident_url": "https://desk.example/desk/incidents/declare/",
    }  # fmt: skip
    return Facts(**plain | said)


def commands(given: Facts, code: str) -> list[Command]:
    made = make_runbook(given)
    return list(next(s for s in [*made.steps, *made.by_hand] if s.code == code).commands)


class TestProof:
    def test_of_a_plan_is_the_drill_of_its_target_and_strategy(self) -> None:
        plan, spare, other = commands(facts(drills=[drilled()]), "restore")

        assert plan.text.startswith(
            f".venv/bin/python manage.py restore_database shop --option {PLAN} "
        )
        assert plan.proof.words == "proven by drill 7, 3 days ago"
        assert spare.proof.is_proven
        assert "spare --strategy stream" in spare.text
        # Nobody has restored to the other one.
        assert other.proof.words == "not proven by a drill"
        assert "not ready: no worker has looked at it" in other.when

    @pytest.mark.parametrize(
        "drill", [drilled(strategy="STAGE"), drilled(target_id=6), drilled(engine_fits=False)]
    )
    def test_another_way_another_place_another_engine_prove_nothing(self, drill: Drilled) -> None:
        assert not commands(facts(drills=[drill]), "restore")[0].proof.is_proven

    def test_a_failure_since_takes_it_back(self) -> None:
        later = drilled(number=9, has_passed=False, ended_at=NOON - HOUR, words="no room")

        plan = commands(facts(drills=[later, drilled()]), "restore")[0]

        assert plan.proof.words == "not proven by a drill: drill 9 failed 1 h 00 min ago"
        assert not plan.proof.is_proven

    def test_what_no_drill_does_is_never_proven(self) -> None:
        made = make_runbook(facts(drills=[drilled()]))

        assert {step.code for step in made.steps if any(c.proof.is_proven for c in step.commands)} \
            == {"restore", "watch", "check"}  # fmt: skip
        assert not any(c.proof.is_proven for step in made.by_hand for c in step.commands)

    def test_without_any_drill_nothing_is(self) -> None:
        text = as_markdown(make_runbook(facts()))

        assert "proven by drill" not in text
        assert text.count("(not proven by a drill)") > 5
        assert "no drill that passed was timed" in text


class TestSteps:
    def test_stand_in_their_order_under_names_that_stay(self) -> None:
        assert [step.code for step in make_runbook(facts(tenants=3)).steps] == [
            "see", "declare", "choose", "restore", "watch", "check", "open", "tenants", "tell",
            "care",
        ]  # fmt: skip

    def test_name_the_incident_once_there_is_one(self) -> None:
        assert "--incident NUMBER" in commands(facts(), "restore")[0].text
        assert "--incident 12" in commands(facts(incident=12), "restore")[0].text

    def test_without_a_plan_the_code_is_left_to_the_reader(self) -> None:
        assert "--option CODE" in commands(facts(loss=None), "restore")[0].text

    def test_quote_what_the_shell_would_take_apart(self) -> None:
        [isready, check] = commands(facts(name="my shop; rm -rf /"), "see")

        assert isready.text == "pg_isready --host db1 --port 5432"
        assert shlex.split(check.text)[-1] == "my shop; rm -rf /"


class TestWithoutHighwater:
    @pytest.mark.parametrize(
        ("engine", "folder", "own"),
        [
            ("BARMAN_CLOUD", "pg/main/base/", "restore_command = 'if [ -e "),
            ("PGBACKREST", "pg/backup/main/", "--set=20261122T010000"),
            ("PG_DUMP", "pg/main/dumps/", "pg_restore"),
        ],
    )
    def test_names_the_real_places_of_each_engine(self, engine: str, folder: str, own: str) -> None:
        text = as_markdown(make_runbook(facts(engine=engine, places=[OWN, COPY])))

        listing = ".venv/bin/python -m backups.storage.listing --source https://s3.example.net,"
        assert f"{listing}backups,{folder}" in text
        assert own in text
        assert "20261122T010000" in text
        # A copy with no endpoint of its own is at the provider's.
        assert "https://s3.us-east-1.amazonaws.com,backups-copy" in text
        assert "AWS_ACCESS_KEY_ID_2" in text

    def test_compares_with_the_manifest_only_where_there_is_one(self) -> None:
        key = "--manifest pg/highwater/manifests/main/20261122T010000.json"

        assert key in commands(facts(), "hand-fetch")[0].text
        unrecorded = Newest(engine_id="X", name="x", ended_at=NOON, major=17)
        assert "--manifest" not in commands(facts(newest=unrecorded), "hand-fetch")[0].text

    def test_reads_secrets_where_they_are_when_it_is_typed(self) -> None:
        [shell] = commands(facts(places=[OWN, COPY]), "hand-shell")

        assert "'/etc/highwater/shop keys.json' secret_key" in shell.text
        assert 'AWS_SECRET_ACCESS_KEY_2="${COPY_SECRET_KEY:-}"' in shell.text
        named = Place(name="s", endpoint="", bucket="b", prefix="", region="r",
                      reference="settings:SHOP")  # fmt: skip
        assert '="…"' in commands(facts(places=[named]), "hand-shell")[0].text

    def test_takes_no_error_of_barmans_for_the_end_of_the_log(self) -> None:
        place = replace(OWN, bucket="b", prefix="it's 100%")

        [_fetch, _holes, direct] = commands(facts(places=[place]), "hand-log")

        # As PostgreSQL reads it: quotes and signs are doubled for its sake.
        name, _is, quoted = direct.text.partition(" = ")
        assert name == "restore_command"
        typed = quoted[1:-1].replace("''", "'").replace("%%", "%")
        program, _or, otherwise = typed.partition(" || ")
        assert shlex.split(program)[-4:] == ["s3://b/it's 100%", "main", "%f", "%p"]
        assert "--addressing-style path" in program
        assert otherwise == "exit $(( $? == 1 ? 1 : 255 ))"

    def test_fetches_the_log_from_every_place_that_has_it(self) -> None:
        fetch = commands(facts(places=[OWN, COPY]), "hand-log")[0].text

        assert fetch.count("backups.storage.listing --source") == 2
        assert 'AWS_ACCESS_KEY_ID="${AWS_ACCESS_KEY_ID_2:-' in fetch
        assert "NOT LISTED" in fetch

    def test_brings_the_file_that_lies_only_in_the_second_place(
        self, s3_client: "S3Client", s3_bucket: str, s3_server: Addresses, tmp_path: Path
    ) -> None:
        here, there = "000000010000000000000004", "000000010000000000000005"
        for folder, names in (("one", [here]), ("two", [here, there])):
            for name in names:
                key = f"{folder}/main/wals/0000000100000000/{name}"
                s3_client.put_object(Bucket=s3_bucket, Key=key, Body=name.encode())
        places = [
            replace(OWN, name=folder, endpoint=s3_server.s3_endpoint, bucket=s3_bucket,
                    prefix=f"{folder}/", region=s3_server.s3_region)
            for folder in ("one", "two")
        ]  # fmt: skip

        ended = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c",
             commands(facts(places=places), "hand-log")[0].text],
            env={**os.environ, "ROOM": str(tmp_path),
                 "AWS_ACCESS_KEY_ID": s3_server.s3_access_key,
                 "AWS_SECRET_ACCESS_KEY": s3_server.s3_secret_key,
                 "AWS_REGION": s3_server.s3_region},
            cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip

        assert "NOT" not in ended.stdout + ended.stderr
        assert (tmp_path / "wal" / there).read_text() == there

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (["000000010000000000000004.gz", "000000010000000000000005"], 0),
            (["000000010000000000000005"], 1),
            (["000000010000000000000004.gz", "000000010000000000000006.gz"], 1),
            (["0000000100000000000000FF", "000000010000000100000000"], 1),
            # A new timeline begins within the last file of the old one.
            (["000000010000000000000004", "000000020000000000000004",
              "000000020000000000000005", "00000002.history"], 0),
            (["000000010000000000000004", "000000020000000000000006"], 1),
        ],
    )  # fmt: skip
    def test_tells_of_a_hole_in_the_log(self, names: list[str], told: int, tmp_path: Path) -> None:
        log = tmp_path / "wal"
        log.mkdir()
        for name in names:
            (log / name).touch()
        (tmp_path / "pg_controldata").write_text(
            "#!/bin/sh\necho 'Bytes per WAL segment:                16777216'\n"
        )
        (tmp_path / "pg_controldata").chmod(0o755)

        said = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", commands(facts(), "hand-log")[1].text],
            env={"ROOM": str(tmp_path), "DATA": "d", "BIN": str(tmp_path),
                 "PATH": os.environ["PATH"]},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip

        assert said.stdout.count("A HOLE IN THE LOG") == told

    def test_can_be_read_where_nothing_is_known_yet(self) -> None:
        text = as_markdown(make_runbook(facts(newest=None, targets=[], loss=None)))

        assert "put its name where ID stands" in text
        assert "No recovery target is registered" in text
        assert "none: nothing can be brought back" in text


class TestWhatIsSoNow:
    def test_says_what_a_loss_costs_and_how_long_it_took(self) -> None:
        text = as_markdown(make_runbook(facts(drills=[drilled()])))

        assert "5 min of data lost, back in 30-60 min." in text
        assert "42 min (drill 7, 3 days ago)" in text
        assert "of that, fetch**: 20 min" in text

    def test_holds_contacts_and_what_staff_wrote(self) -> None:
        given = facts(
            contacts=[Contact(name="on call", kind="Chat webhook", address="chat.example/…ab12",
                              why="Told by critical.")],
            sections=[Section(title="Who decides", body="Anna, then *Ben*.")],
        )  # fmt: skip

        text = as_markdown(make_runbook(given))

        assert "**on call** (Chat webhook): chat.example/…ab12. Told by critical." in text
        assert "## Who decides\n\nAnna, then *Ben*." in text

    def test_says_of_an_address_no_more_than_where_it_is(self) -> None:
        careless = Place(
            name="s", endpoint="https://user:planted@s3.example.net/x", bucket="b", prefix="",
            region="r", reference="env:S",
        )  # fmt: skip

        assert "planted" not in as_markdown(make_runbook(facts(places=[careless])))
