"""Who asks, where the objects are, and what an object was when it was looked at: plain values."""

from dataclasses import dataclass
from datetime import datetime

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who asks. Never printed."""

    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the objects are: an endpoint, a bucket, and a prefix inside it."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, *parts: str) -> str:
        return "/".join(part.strip("/") for part in (self.prefix, *parts) if part.strip("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """One object as it was when it was looked at."""

    key: str
    size: int
    etag: str
    modified_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]


def plain_etag(header: str) -> str:
    """Return an ETag without its quotes; a weak one keeps its ``W/``."""
    header = header.strip()
    weak = "W/" if header.startswith("W/") else ""
    return weak + header.removeprefix("W/").strip('"')


def has_strong_etag(etag: str) -> bool:
    """Whether a request may ask for exactly this ETag: a weak one never matches."""
    return bool(etag) and not etag.startswith("W/")


def is_same_etag(one: str, other: str) -> bool:
    """Whether two ETags name the same object, weak or not."""
    return one.removeprefix("W/") == other.removeprefix("W/")
