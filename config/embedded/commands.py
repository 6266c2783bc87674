"""What manage.py does: a command runs with the embedded servers that it needs, and no longer."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import django
from django.apps import apps
from django.conf import settings
from django.core.management import (
    ManagementUtility,
    call_command,
    get_commands,
    load_command_class,
)
from django.core.management.base import BaseCommand, CommandParser, handle_default_options
from django.db import connection

from config.embedded import addresses, servers
from config.embedded.addresses import Addresses
from config.embedded.daemon import ServerFailed

EMBEDDED_SETTINGS = "config.settings.embedded"
NOTHING: frozenset[str] = frozenset()
DATABASE = frozenset({"postgres"})

# Commands of Django and its packages that touch no server.
SERVERLESS = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "findstatic",
        "generateschema",
        "help",
        "makemessages",
        "sendtestemail",
        "spectacular",
        "startapp",
        "startproject",
        "testserver",
        "version",
    }
)
# Commands about the tables themselves: they run on a database as it is.
ABOUT_TABLES = frozenset(
    {
        "createcachetable",
        "dbshell",
        "flush",
        "inspectdb",
        "loaddata",
        "makemigrations",
        "migrate",
        "optimizemigration",
        "showmigrations",
        "sqlflush",
        "sqlmigrate",
        "sqlsequencereset",
        "squashmigrations",
    }
)
INTERACTIVE = frozenset({"runserver", "shell"})


def execute(argv: list[str]) -> None:
    """Run the command that ``argv`` names.

    With the embedded settings, the servers that the command needs run meanwhile; those that it
    found running stay, the others stop when it ends, however it ends.
    """
    _read_default_options(argv)
    if os.environ["DJANGO_SETTINGS_MODULE"] != EMBEDDED_SETTINGS:
        ManagementUtility(argv).execute()
        return
    needed = _needed_servers(argv)
    if not needed:
        ManagementUtility(argv).execute()
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    var_dir = Path(settings.VAR_DIR)
    known = addresses.load(var_dir)
    try:
        with servers.in_use(needed, var_dir=var_dir, say=_say):
            begin_anew_if_moved(argv, var_dir, known=known)
            if argv[1] not in ABOUT_TABLES:
                make_tables_once()
            ManagementUtility(argv).execute()
    except ServerFailed as failure:
        _say(str(failure))
        raise SystemExit(1) from failure
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def begin_anew_if_moved(argv: list[str], var_dir: Path, *, known: Addresses) -> None:
    """Replace this process by a new one if a server has moved: the settings name its old port.

    ``known`` are the addresses when the settings were read.
    """
    if addresses.load(var_dir) != known:
        os.execv(sys.executable, [sys.executable, *argv])  # noqa: S606 - becoming it is the point


def make_tables_once() -> None:
    """Migrate a database that has never been migrated, and say so."""
    if not apps.ready:
        django.setup()
    if "django_migrations" in connection.introspection.table_names():
        return
    _say("A new installation: making its tables.")
    call_command("migrate", interactive=False, verbosity=0)


def _needed_servers(argv: list[str]) -> frozenset[str]:
    if len(argv) < 2 or {"-h", "--help", "--version"} & set(argv) or argv[1] in SERVERLESS:  # noqa: PLR2004
        return NOTHING
    name = argv[1]
    if name in ABOUT_TABLES:
        return DATABASE
    if name in INTERACTIVE:
        return servers.NAMES
    command = _find(name)
    return NOTHING if command is None else servers_for(command, argv[2:])


def servers_for(command: BaseCommand, arguments: list[str]) -> frozenset[str]:
    """Return the embedded servers that a command needs; the database, unless it says otherwise.

    It says so by an attribute ``embedded_servers``: names out of "postgres", "redis", "storage",
    or a function that takes its arguments and returns such names.
    """
    declared = getattr(command, "embedded_servers", DATABASE)
    return frozenset(declared(arguments) if callable(declared) else declared)


def _find(name: str) -> BaseCommand | None:
    # First, since Django remembers the commands that it found before its apps were there.
    django.setup()
    app = get_commands().get(name)
    if app is None:
        # Django says so, and what it may have been.
        return None
    return app if isinstance(app, BaseCommand) else load_command_class(app, name)


def _read_default_options(argv: list[str]) -> None:
    parser = CommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    handle_default_options(parser.parse_known_args(argv[2:])[0])


def _leave(number: int, _frame: FrameType | None) -> None:
    # As an exception, so that the servers are stopped on the way out.
    raise SystemExit(128 + number)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
