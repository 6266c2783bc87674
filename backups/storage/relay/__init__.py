"""A read-through S3 endpoint on loopback, so that any engine restores through storage that fails.

It answers GET, HEAD and the listings from a cache on local disk, which ``backups.storage.fetcher``
fills; it refuses everything that writes.
"""

from backups.storage.relay.relay import DEFAULT_LIMIT, LimitTooSmall, Relay, RelayStatus

__all__ = ["DEFAULT_LIMIT", "LimitTooSmall", "Relay", "RelayStatus"]
