"""Why a message did not arrive. The sentences may be shown: they hold no secret."""

from datetime import timedelta


class Undelivered(Exception):
    """A message that did not arrive, and why.

    ``is_final``: to try again is of no use. ``after``: how long the place asked to be left alone.
    """

    def __init__(
        self, reason: str, *, is_final: bool = False, after: timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.is_final = is_final
        self.after = after


class PlaceAway(Undelivered):
    """The recipient's own server does not answer: nothing else for it is worth a try now."""


class ServerAway(Undelivered):
    """The server through which all of a channel goes does not answer."""
