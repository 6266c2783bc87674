"""Check that a request was signed with the relay's own keys, by AWS Signature Version 4.

The rules are those of the S3 API reference, "Authenticating Requests (AWS Signature Version 4)":
the header and the presigned form. What is compared is the signature over the canonical request;
reading needs no body, so a payload's hash is taken as the client says it.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, quote, unquote

from backups.storage.relay.refusals import S3Error
from backups.storage.relay.request import Request
from backups.storage.s3 import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
ALLOWED_SKEW = timedelta(minutes=15)
LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600
_UNRESERVED = "-_.~"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_SCOPE_WORDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """What a request says about its own signature."""

    access_key: str
    scope: str
    signed_headers: str
    signature: str
    time: str
    payload_hash: str
    # Zero for a signature in the headers.
    expires_seconds: int = 0


def check_signature(request: Request, credentials: Credentials, *, at: datetime) -> None:
    """Let the request pass if it was signed with these credentials.

    :raises S3Error: as S3 says it: AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch,
    RequestTimeTooSkewed, AuthorizationHeaderMalformed
    """
    signed = _read(request)
    if not hmac.compare_digest(signed.access_key.encode(), credentials.access_key.encode()):
        raise _forbidden("InvalidAccessKeyId", "The access key is not that of this relay.")
    _check_time(signed, at)
    if not hmac.compare_digest(
        _signature(request, signed, credentials.secret_key).encode(), signed.signature.encode()
    ):
        raise _forbidden(
            "SignatureDoesNotMatch",
            "The signature does not match. Use the keys that this relay printed.",
        )


def _forbidden(code: str, message: str) -> S3Error:
    return S3Error(HTTPStatus.FORBIDDEN, code, message)


def _malformed(message: str) -> S3Error:
    return S3Error(HTTPStatus.BAD_REQUEST, "AuthorizationHeaderMalformed", message)


def _read(request: Request) -> _Signed:
    header = request.headers.get("authorization", "")
    if header:
        if not header.startswith(f"{ALGORITHM} "):
            raise _malformed(f"This relay takes {ALGORITHM} only.")
        fields = dict(_FIELD.findall(header))
        time = request.headers.get("x-amz-date", "")
        payload_hash = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        return _signed(fields, time=time, payload_hash=payload_hash)
    query = request.query
    if "X-Amz-Signature" not in query:
        raise _forbidden("AccessDenied", "Sign the request with the keys that this relay printed.")
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _malformed(f"This relay takes {ALGORITHM} only.")
    expires = query.get("X-Amz-Expires", "")
    if not expires.isdecimal() or not 0 < int(expires) <= LONGEST_PRESIGNED_SECONDS:
        raise _malformed("X-Amz-Expires is a number of seconds, a week at most.")
    fields = {
        name: query.get(f"X-Amz-{name}", "")
        for name in ("Credential", "SignedHeaders", "Signature")
    }
    return _signed(
        fields,
        time=query.get("X-Amz-Date", ""),
        payload_hash=query.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
        expires_seconds=int(expires),
    )


def _signed(
    fields: dict[str, str], *, time: str, payload_hash: str, expires_seconds: int = 0
) -> _Signed:
    access_key, _slash, scope = fields.get("Credential", "").partition("/")
    words = [access_key, *scope.split("/")]
    if len(words) != _SCOPE_WORDS or words[-1] != "aws4_request" or words[-2] != "s3":
        raise _malformed("The credential is ACCESS_KEY/DATE/REGION/s3/aws4_request.")
    if not fields.get("SignedHeaders") or not fields.get("Signature"):
        raise _malformed("SignedHeaders and Signature are needed.")
    return _Signed(
        access_key=access_key,
        scope=scope,
        signed_headers=fields["SignedHeaders"],
        signature=fields["Signature"],
        time=time,
        payload_hash=payload_hash,
        expires_seconds=expires_seconds,
    )


def _check_time(signed: _Signed, at: datetime) -> None:
    try:
        signed_at = datetime.strptime(signed.time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise _forbidden("AccessDenied", "The request needs a date, YYYYMMDDTHHMMSSZ.") from None
    if signed.expires_seconds:
        if at > signed_at + timedelta(seconds=signed.expires_seconds):
            raise _forbidden("AccessDenied", "Request has expired")
    elif abs(at - signed_at) > ALLOWED_SKEW:
        raise _forbidden("RequestTimeTooSkewed", "The request's time differs too much from ours.")


def _signature(request: Request, signed: _Signed, secret_key: str) -> str:
    canonical = hashlib.sha256(_canonical_request(request, signed).encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{signed.time}\n{signed.scope}\n{canonical}"
    key = f"AWS4{secret_key}".encode()
    for word in signed.scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _canonical_request(request: Request, signed: _Signed) -> str:
    names = signed.signed_headers.split(";")
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names
    )
    return "\n".join(
        (
            request.method,
            # S3 encodes once, and clients differ in what they leave as it is.
            quote(unquote(request.raw_path), safe=f"/{_UNRESERVED}"),
            _canonical_query(request.raw_query),
            headers,
            signed.signed_headers,
            signed.payload_hash,
        )
    )


def _canonical_query(raw_query: str) -> str:
    pairs = [
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in parse_qsl(raw_query, keep_blank_values=True)
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
