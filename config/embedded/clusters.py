"""PostgreSQL clusters that others have started under a folder: found, and stopped."""

from collections.abc import Iterator
from pathlib import Path

from backups.engines.postgres import Postgres, bundled_bin_dir


def stop_clusters_under(folder: Path, *, but: Path) -> list[Path]:
    """Stop each PostgreSQL server whose data lies under ``folder``, and return their directories.

    A recovery outlives the worker that asked for it, on purpose; it shall not outlive everything.
    """
    stopped = []
    for data_dir in set(_data_dirs_under(folder.resolve())):
        if data_dir == but.resolve():
            continue
        # Neither the port nor the programs matter for stopping.
        Postgres(bin_dir=bundled_bin_dir(), data_dir=data_dir, port=0).stop(timeout_seconds=15)
        stopped.append(data_dir)
    return stopped


def _data_dirs_under(folder: Path) -> Iterator[Path]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            named = entry.joinpath("comm").read_text(encoding="utf-8").strip()
            where = entry.joinpath("cwd").readlink()
        except OSError:
            continue
        if named == "postgres" and where.is_relative_to(folder):
            yield where
