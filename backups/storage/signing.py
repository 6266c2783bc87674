"""Signatures of requests: AWS Signature Version 4, as its documentation writes it down.

botocore would sign as well, and takes a sixth of a second to import and six times as long for each
request: much, where a killed fetch is to go on at once and where thousands of small objects are
fetched. The tests hold each signature against botocore's.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from backups.storage.values import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


def signed_headers(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes | bytearray,
    *,
    credentials: Credentials,
    region: str,
    at: datetime,
) -> dict[str, str]:
    """Return the headers of a request with its signature. Host has to be among them.

    ``path`` is quoted as it is sent; ``query`` is quoted too, and sorted.
    """
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    hashed = hashlib.sha256(body).hexdigest()
    given = {**headers, "X-Amz-Date": moment, "X-Amz-Content-SHA256": hashed}
    if credentials.session_token:
        given["X-Amz-Security-Token"] = credentials.session_token
    lowered = sorted((name.lower(), value.strip()) for name, value in given.items())
    names = ";".join(name for name, _value in lowered)
    canonical = "\n".join(
        [method, path, query, *(f"{name}:{value}" for name, value in lowered), "", names, hashed]
    )
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    said = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_key, moment[:8], region)
    signature = hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
    given["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return given


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = b"AWS4" + secret_key.encode()
    for said in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, said.encode(), hashlib.sha256).digest()
    return key
