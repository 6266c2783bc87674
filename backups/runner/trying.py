"""Asking a question of the cluster that runs, so that whoever writes a check sees what it says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from backups.engines.dumps import Server
from backups.engines.postgres import bundled_bin_dir
from backups.engines.questions import Answer, ask_in_use, read
from backups.errors import CredentialsMissing, EngineFailed
from backups.models import Database, Tenant
from backups.runner.tools import source_of

# Customers use it meanwhile, and somebody waits at a page.
SECONDS = 5.0


class NotAsked(EngineFailed):
    """The running cluster could not be asked; its words are in the detail."""

    code = "not-asked"


def try_question(
    database: Database, tenants: Sequence[Tenant], question: str
) -> list[tuple[Tenant, Answer]]:
    """Ask each of these tenants' databases, where they run now.

    :raises NotAsked: if one cannot be reached, or is too old for an account that only reads
    """
    answers = []
    with _running(database) as server:
        for tenant in tenants:
            with server.connect(tenant.name) as connection:
                answers.append((tenant, ask_in_use(connection, question, seconds=SECONDS)))
    return answers


def read_question(database: Database, tenant: Tenant, question: str) -> str:
    """Have a question read where a tenant's database runs, and not run: see ``questions.read``.

    :raises NoQuestion: if it is none
    :raises NotAsked: if the database cannot be reached
    """
    with _running(database) as server, server.connect(tenant.name) as connection:
        return read(connection, question, seconds=SECONDS)


@contextmanager
def _running(database: Database) -> Iterator[Server]:
    """Give the cluster that runs; what goes wrong with it is said as one error.

    :raises NotAsked: if it cannot be asked
    """
    try:
        source = source_of(database)
        yield Server(
            host=source.host,
            port=source.port,
            user=source.user,
            password=source.password,
            bin_dir=bundled_bin_dir(),
        )
    except (CredentialsMissing, EngineFailed) as failure:
        raise NotAsked(failure.detail or str(failure)) from failure
    except psycopg.Error as error:
        raise NotAsked(str(error)) from error
