"""What an S3 storage means by an answer that is no success."""

from collections.abc import Mapping

from backups.errors import (
    BucketMissing,
    CredentialsRefused,
    EngineFailed,
    ObjectChanged,
    ObjectMissing,
)

_REFUSED_CODES = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "401",
}
_PASSING_STATUS = {408, 429}
# Those from here on are the server's own, and pass (proxies have made up many), but for one.
_SERVER_STATUS, _NOT_IMPLEMENTED = 500, 501
_BUSY_STATUS = {429, 503}
_PASSING_CODES = {"SlowDown", "RequestTimeout", "InternalError"}
_LONGEST_RETRY_AFTER = 60.0


class ClockWrong(EngineFailed):
    """This machine's clock is too far off for signed requests."""

    code = "clock-wrong"
    advice = (
        "The object storage refuses requests because this machine's clock is wrong. "
        "Set the clock, then resume the job."
    )


class RegionWrong(EngineFailed):
    """The bucket is to be asked elsewhere."""

    code = "region-wrong"
    advice = (
        "The bucket lies in another region or at another endpoint (the attempt's log names it). "
        "Correct the storage location, then resume the job."
    )


class PassingTrouble(Exception):
    """The storage could not answer just now; the same request may succeed later.

    ``reason`` is one of busy, error, reset, silent, unreachable. ``retry_after`` are the seconds
    that the storage asked for, or zero.
    """

    def __init__(self, reason: str, detail: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.retry_after = retry_after


_BY_CODE: dict[str, type[EngineFailed]] = {
    "NoSuchBucket": BucketMissing,
    "NoSuchKey": ObjectMissing,
    "NotFound": ObjectMissing,
    "RequestTimeTooSkewed": ClockWrong,
    "PermanentRedirect": RegionWrong,
    "AuthorizationHeaderMalformed": RegionWrong,
}
_BY_STATUS: dict[int, type[EngineFailed]] = {
    301: RegionWrong,
    307: RegionWrong,
    401: CredentialsRefused,
    403: CredentialsRefused,
    404: ObjectMissing,
    412: ObjectChanged,
    416: ObjectChanged,
}


def meaning_of(status: int, headers: Mapping[str, str], body: bytes, what: str) -> Exception:
    """Return the error to raise for an answer that is no success."""
    said = _said(body)
    code = said.get("Code", "")
    detail = f"{what}: {status} {code} {said.get('Message', '')}".strip()
    if code in _BY_CODE:
        return _BY_CODE[code](detail)
    is_servers = status >= _SERVER_STATUS and status != _NOT_IMPLEMENTED
    if is_servers or status in _PASSING_STATUS or code in _PASSING_CODES:
        reason = "busy" if status in _BUSY_STATUS else "error"
        return PassingTrouble(reason, detail, retry_after=_retry_after(headers))
    if code in _REFUSED_CODES:
        return CredentialsRefused(detail)
    return _BY_STATUS.get(status, EngineFailed)(detail)


def _said(body: bytes) -> dict[str, str]:
    # Only where something went wrong: a fetch that goes on after a death is not to wait for it.
    import xml.etree.ElementTree as ET  # noqa: PLC0415 - see above

    try:
        root = ET.fromstring(body)  # noqa: S314 - expat limits what entities may grow to
    except ET.ParseError:
        return {}
    return {each.tag.rpartition("}")[2]: each.text or "" for each in root}


def _retry_after(headers: Mapping[str, str]) -> float:
    # A date is allowed too; nobody was seen to send one, and the usual pause serves then.
    said = headers.get("retry-after", "")
    return min(float(said), _LONGEST_RETRY_AFTER) if said.isdecimal() else 0.0
