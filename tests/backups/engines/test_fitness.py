"""What a cluster misses in its new place is named, on a real cluster."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backups.engines.fitness import (
    findings_of_cluster,
    findings_of_database,
    findings_of_directory,
    told,
)
from backups.engines.postgres import Postgres, bundled_bin_dir
from tests.backups.engines.test_postgres import PASSWORD, free_port


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Postgres]:
    made = Postgres(bin_dir=bundled_bin_dir(), data_dir=tmp_path / "data", port=free_port())
    made.create(password=PASSWORD)
    yield made
    made.stop(mode="immediate")


def configure(cluster: Postgres, *lines: str) -> None:
    with (cluster.data_dir / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


class TestOfADirectory:
    def test_one_made_here_lacks_nothing(self, cluster: Postgres) -> None:
        configure(cluster, "unix_socket_directories = ''")

        assert findings_of_directory(cluster) == []

    def test_names_libraries_files_and_programs(self, cluster: Postgres) -> None:
        configure(
            cluster,
            "shared_preload_libraries = 'pg_stat_statements, timescaledb'",
            "ssl = on",
            "ssl_cert_file = '/etc/ssl/private/lost.pem'",
            "ssl_key_file = 'postgresql.conf'",
            "unix_socket_directories = '/run/nowhere'",
            "archive_command = '/gone/barman-cloud-wal-archive %p'",
        )

        found = {(each.name, each.stops) for each in findings_of_directory(cluster)}

        assert found == {
            ("timescaledb", True),
            ("ssl_cert_file", True),
            ("unix_socket_directories", True),
            ("archive_command", False),
        }

    def test_names_a_setting_that_this_version_does_not_know(self, cluster: Postgres) -> None:
        configure(cluster, "stats_temp_directory = 'pg_stat_tmp'")

        (finding,) = findings_of_directory(cluster)

        assert finding.stops
        assert 'unrecognized configuration parameter "stats_temp_directory"' in finding.words

    def test_names_where_tablespaces_lie_now(self, cluster: Postgres, tmp_path: Path) -> None:
        configure(cluster, "unix_socket_directories = ''")
        (tmp_path / "data.tablespaces" / "16385").mkdir(parents=True)
        for number in ("16385", "16386"):
            link = cluster.data_dir / "pg_tblspc" / number
            link.symlink_to(tmp_path / "data.tablespaces" / number)

        there, gone = findings_of_directory(cluster)

        assert not there.stops
        assert str(tmp_path / "data.tablespaces" / "16385") in there.words
        assert gone.stops
        assert told([there, gone]) == [gone.words, there.words]


class TestOfACluster:
    @pytest.fixture
    def connection(
        self, cluster: Postgres, tmp_path: Path
    ) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        cluster.start(log=tmp_path / "log")
        with psycopg.connect(
            host="127.0.0.1", port=cluster.port, user="postgres", password=PASSWORD,
            dbname="postgres", autocommit=True,
        ) as opened:  # fmt: skip
            yield opened

    def test_one_made_here_lacks_nothing(
        self, connection: "psycopg.Connection[tuple[object, ...]]", cluster: Postgres
    ) -> None:
        connection.execute("create extension pgcrypto")

        assert findings_of_cluster(connection) == []
        assert findings_of_database(connection, cluster) == []

    def test_names_extensions_libraries_roles_locales_and_subscriptions(
        self, connection: "psycopg.Connection[tuple[object, ...]]", cluster: Postgres
    ) -> None:
        connection.execute("create extension pgcrypto")
        connection.execute("create role app login")
        for statement in (
            # As they are where another machine's files were brought to.
            "update pg_extension set extname = 'postgis' where extname = 'pgcrypto'",
            "update pg_proc set probin = '$libdir/postgis-3' where proname = 'crypt'",
            (
                "create database sorted template template0 locale_provider builtin "
                "builtin_locale 'C.UTF-8'"
            ),
            "update pg_database set datcollversion = '0' where datname = 'sorted'",
            (
                "create subscription feed connection 'host=none' publication p "
                "with (connect = false, slot_name = none)"
            ),
        ):
            connection.execute(statement)
        connection.execute("update pg_subscription set subenabled = true")

        found = [
            *findings_of_cluster(connection),
            *findings_of_database(connection, cluster),
        ]

        assert {(each.subject, each.name) for each in found} == {
            ("locale", "sorted"),
            ("role", "app"),
            ("extension", "postgis"),
            ("library", "$libdir/postgis-3"),
            ("subscription", "feed"),
        }
