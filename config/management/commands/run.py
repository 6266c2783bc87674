import fcntl
import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from config.embedded import addresses, servers
from config.embedded.addresses import HOST, write_private
from config.embedded.commands import begin_anew_if_moved
from config.embedded.daemon import ServerFailed
from config.embedded.desk_login import DeskLogin, make_once
from config.embedded.supervisor import Program, Supervisor, sweep
from statuspage import operations, publisher
from statuspage.models import Page

PYTHON = sys.executable
FIRST_OPEN_PORT = 1024
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(BaseCommand):
    help = "Run Highwater on this machine: servers, web, workers and beat, until Ctrl-C."
    # It starts them itself, and keeps them running.
    embedded_servers = frozenset[str]()
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            # As text: what is no number is then told like any wrong argument.
            "--port",
            type=int,
            default=os.environ.get("PORT", "8000"),
            help="the web's port",
        )
        parser.add_argument(
            "--story", action="store_true", help="play the story of a lost database on it"
        )

    def handle(self, *, port: int, story: bool, **_options: Any) -> None:
        var_dir = Path(settings.VAR_DIR)
        # The console is for what concerns whoever started this; the children's logs have the rest.
        logging.getLogger().setLevel(logging.WARNING)
        for number in STOPPING_SIGNALS:
            signal.signal(number, _interrupt)
        try:
            with self._only_one(var_dir, port=port, story=story) as is_first:
                if is_first:
                    self._run(var_dir, port=port, story=story)
        except ServerFailed as failure:
            raise CommandError(str(failure)) from failure
        except KeyboardInterrupt:
            self._say("Stopped.")

    def _run(self, var_dir: Path, *, port: int, story: bool) -> None:
        if left := sweep(var_dir):
            self._say(f"Ended {left} processes that an earlier, killed run had left.")
        if not addresses.is_free(port):
            goal = "demo" if story else "run"
            raise CommandError(
                f"Port {port} is {_obstacle(port)}. "
                f"Choose another one: PORT={_another(port)} make {goal}"
            )
        known = addresses.load(var_dir)
        self._say("Starting PostgreSQL, the Redis-protocol server and the S3 server")
        with servers.in_use(servers.NAMES, var_dir=var_dir, say=self._say):
            begin_anew_if_moved(sys.argv, var_dir, known=known)
            login = self._prepare(var_dir, port)
            supervisor = Supervisor(
                programs(port, var_dir),
                var_dir=var_dir,
                cwd=settings.BASE_DIR,
                env={"DJANGO_SETTINGS_MODULE": "config.settings.embedded", "PORT": str(port)},
                say=self._say,
            )
            self._supervise(supervisor, port=port, login=login, story=story)

    def _prepare(self, var_dir: Path, port: int) -> DeskLogin | None:
        """Make what a start needs and may be missing. Done again, it changes nothing."""
        self._say("Preparing the database, the static files and the page")
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        login = make_once(var_dir)
        _tell_the_page_where_it_lies(port)
        publisher.publish_all()
        # The supervisor asks the database nothing more.
        connections.close_all()
        return login

    def _supervise(
        self, supervisor: Supervisor, *, port: int, login: DeskLogin | None, story: bool
    ) -> None:
        played: subprocess.Popen[bytes] | None = None
        greeted = False
        try:
            while True:
                supervisor.tick()
                if not greeted and _answers(port):
                    greeted = True
                    self._greet(port, login)
                    played = supervisor.spawn(_story(), log=None) if story else None
                if played is not None and played.poll() is not None:
                    self._say_how_it_ended(played)
                    played = None
                time.sleep(0.2)
        except KeyboardInterrupt:
            self._say("Stopping; once more to stop at once.")
            for number in STOPPING_SIGNALS:
                signal.signal(number, lambda _number, _frame: _hurry(supervisor))
        finally:
            if played is not None:
                played.terminate()
            supervisor.stop()
        self._say("Stopped.")

    def _greet(self, port: int, login: DeskLogin | None) -> None:
        self._say("")
        self._say(f"  Public page   http://{HOST}:{port}/")
        self._say(f"  Desk          http://{HOST}:{port}/desk/")
        if login is None:
            self._say("  Login         as you have set it (manage.py changepassword NAME sets it)")
        else:
            self._say(f"  Login         {login.name}, password {login.password}")
        self._say(f"  Logs          {Path(settings.VAR_DIR) / 'log'}")
        self._say("")
        self._say("Ctrl-C stops everything.")

    def _say_how_it_ended(self, played: subprocess.Popen[bytes]) -> None:
        if played.returncode:
            self._say("The story did not come to its end; the reason stands above.")
        else:
            self._say("The story is told; everything stays as it is until Ctrl-C.")

    @contextmanager
    def _only_one(self, var_dir: Path, *, port: int, story: bool) -> Iterator[bool]:
        """Let one supervisor run at a time; a second says where the first one is."""
        run_dir = var_dir / "run"
        run_dir.mkdir(parents=True, exist_ok=True)
        known = run_dir / "supervisor.json"
        with (run_dir / "supervisor.lock").open("a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = json.loads(known.read_text(encoding="utf-8"))
                self._say(
                    f"Highwater runs here already: http://{HOST}:{running['port']}/ "
                    f"(process {running['pid']})."
                )
                if story:
                    self._say("Playing the story there.")
                    subprocess.run(_story().command, cwd=settings.BASE_DIR, check=False)
                yield False
                return
            write_private(known, json.dumps({"pid": os.getpid(), "port": port}))
            yield True

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()


def programs(port: int, var_dir: Path) -> list[Program]:
    """Return what runs beside the servers: the web, two workers, so that one may die, and beat."""
    celery = (PYTHON, "-m", "celery", "-A", "config")
    # Threads: one process a worker, so that its death is one death, and half the memory.
    pool = ("--pool", "threads", "--concurrency", "4", "--without-gossip", "--without-mingle")
    queues = ("--queues", ",".join(_queues()))
    worker = (*celery, "worker", "--loglevel", "INFO", *queues, *pool)
    place = ("--host", HOST, "--port", str(port))
    workers = ("--workers", str(2 * (os.cpu_count() or 1)), "--respawn-failed-workers")
    # HTTP/1 alone costs a third less a request. One thread a worker, and several workers, so that
    # a desk request that waits for the database does not hold up the public page.
    http = ("--http", "1", "--no-ws", "--blocking-threads", "1")
    web = (PYTHON, "-m", "granian", "--interface", "wsgi", *http, *place, *workers)
    schedule = str(var_dir / "run" / "beat-schedule")
    return [
        Program(name="web", command=(*web, "config.wsgi:application")),
        # A restore survives its worker's death, so that need not be gentle.
        Program(name="worker1", command=(*worker, "-n", "worker1@%h"), on_orphaned=signal.SIGKILL),
        Program(name="worker2", command=(*worker, "-n", "worker2@%h"), on_orphaned=signal.SIGKILL),
        Program(name="beat", command=(*celery, "beat", "--schedule", schedule, "--pidfile=")),
    ]


def _tell_the_page_where_it_lies(port: int) -> None:
    """Give the page this machine's address, unless it has been given one of the world outside."""
    now = timezone.now()
    page = Page.objects.first_page(at=now)
    here = f"http://localhost:{port}"
    if page.url != here and urlsplit(page.url).hostname == "localhost":
        operations.set_up_page(
            name=page.name,
            url=here,
            time_zone=page.time_zone,
            support_url=page.support_url,
            language=page.language,
            at=now,
        )


def _obstacle(port: int) -> str:
    if port < FIRST_OPEN_PORT and os.geteuid():
        return "open to root alone"
    return "taken by another program"


def _another(port: int) -> int:
    return next(other for other in range(max(port + 1, 8000), 65536) if addresses.is_free(other))


def _queues() -> list[str]:
    routed = (route["queue"] for route in settings.CELERY_TASK_ROUTES.values())
    return sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *routed})


def _story() -> Program:
    return Program(name="story", command=(PYTHON, "manage.py", "play_story"))


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _hurry(supervisor: Supervisor) -> None:
    supervisor.hurry = True
