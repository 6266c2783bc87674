"""A request to the relay as S3 reads it: which bucket, which key, which parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``raw_path`` and ``raw_query`` are as they came, for the signature's check.

    ``bucket`` is empty where none is named, ``key`` where the bucket itself is meant.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    bucket: str
    key: str
    query: Mapping[str, str]

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str], *, served: str) -> Self:
        """Read a request line. ``headers`` have names in small letters.

        The bucket stands in the host's name (BUCKET.localhost) or leads the path. ``served`` is the
        relay's own bucket, since a bucket's name may hold dots.
        """
        # A proxy's absolute form is not ours to serve, but its path is.
        if "://" in target.partition("?")[0]:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        raw_path, _mark, raw_query = target.partition("?")
        path = unquote(raw_path).removeprefix("/")
        bucket = _bucket_of_host(headers.get("host", ""), served)
        if bucket:
            key = path
        else:
            bucket, _slash, key = path.partition("/")
        pairs = parse_qsl(raw_query, keep_blank_values=True)
        return cls(
            method=method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=headers,
            bucket=bucket,
            key=key,
            query=dict(pairs),
        )

    @property
    def resource(self) -> str:
        return "/" + "/".join(word for word in (self.bucket, self.key) if word)


def _bucket_of_host(host: str, served: str) -> str:
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    if name.startswith(f"{served}."):
        return served
    first, _dot, rest = name.partition(".")
    return first if rest in LOOPBACK_NAMES else ""
