"""The answers of S3 that are no success, as exceptions that know their status and their code."""

from http import HTTPStatus

from backups.errors import (
    BucketMissing,
    CredentialsRefused,
    EngineFailed,
    ObjectMissing,
    StorageUnavailable,
)


class S3Error(Exception):
    """An answer in S3's own words; ``status`` and ``code`` are what a client decides by."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def read_only() -> S3Error:
    return S3Error(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "This is a read-only relay for a restore. Write to the storage itself.",
    )


def no_such_key() -> S3Error:
    return S3Error(HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist.")


def no_such_bucket(served: str) -> S3Error:
    return S3Error(
        HTTPStatus.NOT_FOUND, "NoSuchBucket", f"This relay serves the bucket {served} only."
    )


def not_implemented(what: str) -> S3Error:
    return S3Error(
        HTTPStatus.NOT_IMPLEMENTED,
        "NotImplemented",
        f"This relay reads and lists objects; it does not answer {what}.",
    )


def slow_down(reason: str) -> S3Error:
    return S3Error(
        HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown", f"The storage does not answer yet: {reason}"
    )


def meaning_of(failure: EngineFailed) -> S3Error:
    """Return what a client is to be told of the fetch's failure.

    Only an object that the storage itself calls missing is missing: a client may take that for the
    end of an archive.
    """
    if isinstance(failure, ObjectMissing):
        return no_such_key()
    if isinstance(failure, BucketMissing):
        return S3Error(HTTPStatus.NOT_FOUND, "NoSuchBucket", failure.advice)
    if isinstance(failure, CredentialsRefused):
        return S3Error(HTTPStatus.FORBIDDEN, "AccessDenied", failure.advice)
    if isinstance(failure, StorageUnavailable):
        return slow_down(str(failure))
    return S3Error(
        HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", f"{failure.code}: {failure.advice}"
    )
