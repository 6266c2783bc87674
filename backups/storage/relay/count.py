"""What the relay has served, counted by many threads."""

import threading


class Count:
    """Requests that were answered with content, and bytes that went out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes = 0
        self._last_key = ""

    def asked(self, key: str) -> None:
        with self._lock:
            self._requests += 1
            self._last_key = key or self._last_key

    def sent(self, length: int) -> None:
        with self._lock:
            self._bytes += length

    def now(self) -> tuple[int, int, str]:
        """Return requests, bytes, and the object that was asked for last."""
        with self._lock:
            return self._requests, self._bytes, self._last_key
