"""A certificate for a relay on loopback, signed by an authority that exists for that one folder.

Two certificates and not one that signs itself, because some TLS libraries refuse an authority as a
server. The authority's key is forgotten as soon as it has signed.
"""

import datetime as dt
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = dt.timedelta(days=30)
NAMES = ("localhost", "*.localhost")
_NO_USAGE = dict.fromkeys(
    (
        "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The files of a relay's TLS: what clients trust, and what the server shows."""

    ca_file: Path
    chain_file: Path

    @classmethod
    def in_folder(cls, folder: Path, *, at: dt.datetime) -> Self:
        """Return the folder's certificate; make it if there is none that serves for long."""
        found = cls(ca_file=folder / "ca.pem", chain_file=folder / "server.pem")
        if not found._serves(at):
            found._make(at)
        return found

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file)
        return context

    def _serves(self, at: dt.datetime) -> bool:
        try:
            known = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
            shown = x509.load_pem_x509_certificate(self.chain_file.read_bytes())
            shown.verify_directly_issued_by(known)
            self.context()
        except (OSError, ValueError, TypeError, InvalidSignature):
            # None yet, or cut short: by a full disk, or a death between the two files.
            return False
        return at + VALID / 2 < known.not_valid_after_utc

    def _make(self, at: dt.datetime) -> None:
        authority_key = ec.generate_private_key(ec.SECP256R1())
        authority = _named("Highwater relay", at, authority_key.public_key(), signs=True)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Highwater relay")])
        ca = authority.issuer_name(issuer).sign(authority_key, hashes.SHA256())
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in NAMES]
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        server = (
            _named("localhost", at, key.public_key(), signs=False)
            .issuer_name(issuer)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                critical=False,
            )
            .sign(authority_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_secret(self.chain_file, secret + server.public_bytes(pem))
        self.ca_file.write_bytes(ca.public_bytes(pem))


def _named(
    name: str, at: dt.datetime, key: ec.EllipticCurvePublicKey, *, signs: bool
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, **_NO_USAGE
    )
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A client's clock may be a little behind.
        .not_valid_before(at - dt.timedelta(hours=1))
        .not_valid_after(at + VALID)
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from the first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
