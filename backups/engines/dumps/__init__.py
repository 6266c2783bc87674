"""One database at a time, by PostgreSQL's own programs: dumped, brought back beside, swapped in."""

from backups.engines.dumps.description import Description, read_description
from backups.engines.dumps.dumping import dump_database
from backups.engines.dumps.restoring import RowsDiffer, restore_database, restoring_name
from backups.engines.dumps.server import Server, counts_of
from backups.engines.dumps.swapping import swap_in

__all__ = [
    "Description",
    "RowsDiffer",
    "Server",
    "counts_of",
    "dump_database",
    "read_description",
    "restore_database",
    "restoring_name",
    "swap_in",
]
