"""What monitoring sends, read: bytes and headers in, what is told of each alert out.

Nothing here reads a clock or a row: the moment of receipt and the secret are passed in.
"""

from incidents.inbound.door import digest, new_token, offered_token
from incidents.inbound.reading import LARGEST, excerpt, read, without_secrets
from incidents.inbound.refusals import (
    AlertRefused,
    BadSignature,
    ImpossibleTime,
    NotJson,
    SecretMissing,
    SignatureOutOfTime,
    TooDeep,
    TooLarge,
    TooMany,
    Unsigned,
    WrongShape,
)
from incidents.inbound.severity import severity_of
from incidents.inbound.told import Reading, Told

__all__ = [
    "LARGEST",
    "AlertRefused",
    "BadSignature",
    "ImpossibleTime",
    "NotJson",
    "Reading",
    "SecretMissing",
    "SignatureOutOfTime",
    "Told",
    "TooDeep",
    "TooLarge",
    "TooMany",
    "Unsigned",
    "WrongShape",
    "digest",
    "excerpt",
    "new_token",
    "offered_token",
    "read",
    "severity_of",
    "without_secrets",
]
