"""A certificate to sign in with, in the forms in which people have it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

PASSWORD = "canary-password"


class Certificate:
    def __init__(self, *, rsa_key: bool = True) -> None:
        self._key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "offers")])
        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
        self._certificate = builder.sign(self._key, SHA256())
        self.pem = self._certificate.public_bytes(Encoding.PEM).decode()

    def write(self, path: Path, *, password: str = "") -> Path:
        """As PFX or PEM, as the name says; encrypted if there is a password."""
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        if path.suffix == ".pfx":
            content = pkcs12.serialize_key_and_certificates(b"", self._key, self._certificate, None, encryption)
        else:
            content = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption) + self.pem.encode()
        path.write_bytes(content)
        return path
