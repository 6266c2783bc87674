"""An application that may start later than the server, without keeping the public page waiting."""

import logging
import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

_TRY_EVERY_SECONDS = 5.0
_BODY = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Not available</title>"
    b"<h1>This part does not answer at the moment</h1>"
    b"<p>The public status page does. Please try again in a minute."
)


class LateApplication:
    """Starts the application when the server starts; if that fails, again at a later request.

    Meanwhile it answers 503. What ``fatal`` names goes through: such a start must not go on.
    """

    def __init__(
        self, start: "Callable[[], WSGIApplication]", *, fatal: tuple[type[Exception], ...] = ()
    ) -> None:
        self._start = start
        self._fatal = fatal
        self._application: WSGIApplication | None = None
        self._try_at = 0.0
        self._trying = Lock()
        self._try()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if self._application is None and time.monotonic() >= self._try_at:
            self._try()
        if self._application is not None:
            return self._application(environ, start_response)
        start_response(
            "503 Service Unavailable",
            [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(_BODY))),
                ("Cache-Control", "no-store"),
                ("Retry-After", "10"),
            ],
        )
        return [_BODY]

    def _try(self) -> None:
        if not self._trying.acquire(blocking=False):
            return
        try:
            self._try_at = time.monotonic() + _TRY_EVERY_SECONDS
            self._application = self._start()
        except self._fatal:
            raise
        except Exception:
            # Whatever it is: the public page must be served, and the fault is in the log.
            logger.exception("the application behind the public page did not start")
        finally:
            self._trying.release()
