"""Secrets of storages and databases, with failures as this house tells them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import credentials
from backups.errors import CredentialsMissing, CredentialsRefused
from backups.models import StorageLocation
from backups.storage.s3 import Credentials


def storage_credentials(reference: str) -> Credentials:
    """Return the keys that a storage location names.

    :raises CredentialsMissing: if they are not there
    """
    try:
        return Credentials(**credentials.storage_keys(reference))
    except credentials.CredentialsMissing as missing:
        raise CredentialsMissing(str(missing)) from missing


def keys_of(place: StorageLocation) -> Credentials:
    """Return the keys of a storage location.

    :raises CredentialsMissing: if they are not there; its advice names the place and where
    """
    try:
        return storage_credentials(place.credentials_reference)
    except CredentialsMissing as missing:
        raise CredentialsMissing(
            str(missing),
            advice=f"There are no keys for the storage location {place.name} at "
            f"{place.credentials_reference}. Put them there, then resume the job.",
        ) from missing


@contextmanager
def naming_refusals(refusing: Callable[[], Sequence[StorageLocation]]) -> Iterator[None]:
    """Have a refusal of keys say which places refuse, and where the keys are that they refuse."""
    try:
        yield
    except CredentialsRefused as refusal:
        # Whoever was nearer to it has said more exactly which.
        if refusal.advice == CredentialsRefused.advice:
            named = " or ".join(
                f"{each.name} (keys of {each.credentials_reference})" for each in refusing()
            )
            refusal.advice = (
                f"The object storage refused the credentials: {named}. Correct or renew them "
                "there, then resume the job."
            )
        raise


def password(reference: str) -> str:
    """Return the password that a database names.

    :raises CredentialsMissing: if it is not there; its advice names where
    """
    try:
        return credentials.password(reference)
    except credentials.CredentialsMissing as missing:
        raise CredentialsMissing(
            str(missing),
            advice=f"There is no password at {reference}. Put it there, then resume the job.",
        ) from missing


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text without these secrets."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return text
