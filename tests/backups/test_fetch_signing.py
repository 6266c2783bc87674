"""Our signatures are those that botocore makes."""

from datetime import UTC, datetime
from unittest import mock

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from backups.storage.signing import signed_headers
from backups.storage.values import Credentials, Place
from backups.storage.wire import Wire

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    # Nothing that a URL library would fold on its way into botocore.
    lambda key: "." not in key and not key.startswith("/") and "//" not in key
)


@given(
    key=KEYS,
    secret=WORDS,
    token=st.one_of(st.just(""), WORDS),
    query=st.dictionaries(st.sampled_from(["prefix", "max-keys", "delimiter"]), st.just("a%2Fb")),
    body=st.binary(max_size=50),
    method=st.sampled_from(["GET", "HEAD", "PUT"]),
)
def test_a_signature_is_botocores(
    *, key: str, secret: str, token: str, query: dict[str, str], body: bytes, method: str
) -> None:
    place = Place(bucket="backups", endpoint="http://127.0.0.1:9000", region="eu-west-1")
    credentials = Credentials(access_key="who", secret_key=secret, session_token=token)
    asked = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
    path = Wire(place).path_of(key)
    url = f"http://127.0.0.1:9000{path}" + (f"?{asked}" if asked else "")
    request = AWSRequest(method, url, headers={"Range": "bytes=0-9"}, data=body)
    keys = ReadOnlyCredentials("who", secret, token or None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=AT.replace(tzinfo=None)):
        S3SigV4Auth(keys, "s3", place.region).add_auth(request)

    ours = signed_headers(
        method, path, asked, {"Host": "127.0.0.1:9000", "Range": "bytes=0-9"}, body,
        credentials=credentials, region=place.region, at=AT,
    )  # fmt: skip

    assert ours["Authorization"] == request.headers["Authorization"]
