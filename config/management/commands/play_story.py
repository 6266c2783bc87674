"""Play the story of a lost database on the running installation."""

import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.story.play import StoryFailed, play
from incidents.errors import Refused


class Command(BaseCommand):
    help = (
        "Lose a PostgreSQL cluster and bring it back, while the page tells. Needs `manage.py run`."
    )
    embedded_servers = frozenset({"postgres", "redis", "storage"})

    def handle(self, **_options: Any) -> None:
        # The console belongs to the story; what is noted of each publish stands in the logs.
        logging.getLogger().setLevel(logging.WARNING)
        try:
            play(say=self._say)
        except (StoryFailed, Refused) as fault:
            raise CommandError(str(fault)) from fault

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()
