"""A certificate and its private key, as files that the user names.

Messages have neither the key's path nor its password: they may end up in a log.
"""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from imprint.errors import UserError
from imprint.locations import locate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}  # by the name of the key's curve


class KeyPair(NamedTuple):
    """`algorithm` is C2PA's name of how this kind of key signs."""

    chain: bytes
    key: bytes
    algorithm: str


def read_key_pair(certificate: str, key: str, password: str | None) -> KeyPair:
    """Raises UserError with all that is wrong. Needs the extra `credentials`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    faults: list[str] = []
    chain, private = _content(certificate, "certificate", faults), _content(key, "key", faults)
    certificates: list[Certificate] = []
    loaded: Any = None
    try:
        certificates = x509.load_pem_x509_certificates(chain) if chain else []
    except (ValueError, UnsupportedAlgorithm):
        faults.append("provenance.certificate: it holds no certificates in PEM form. Give the chain, your own first.")
    try:
        secret = None if password is None else password.encode()
        loaded = serialization.load_pem_private_key(private, secret) if private else None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        faults.append(f"provenance.key: it cannot be opened ({_why(error)}). Give a private key in PEM form.")
    faults.extend(_expired(certificates))
    if certificates and loaded and certificates[0].public_key() != loaded.public_key():
        faults.append("provenance.key: it is not the key of the first certificate in provenance.certificate.")
    algorithm = _algorithm(loaded) if loaded else None
    if loaded and algorithm is None:
        faults.append("provenance.key: C2PA signs with keys of the kinds P-256, P-384, P-521, Ed25519 and RSA alone.")
    if faults:
        raise UserError("\n".join(faults))
    assert loaded and algorithm
    plain = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(chain, plain, algorithm)


def _content(path: str, setting: str, faults: list[str]) -> bytes:
    try:
        return locate(path).read_bytes()
    except OSError as error:
        faults.append(f"provenance.{setting}: the file cannot be read ({error.strerror}). Give another, in PEM form.")
        return b""


def _expired(certificates: "list[Certificate]") -> Iterator[str]:
    now = datetime.now(timezone.utc)
    for number, certificate in enumerate(certificates, start=1):
        if now > certificate.not_valid_after_utc:
            when = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            yield f"provenance.certificate: certificate {number} of the chain expired on {when}. Have it renewed."
        if now < certificate.not_valid_before_utc:
            when = f"{certificate.not_valid_before_utc:%Y-%m-%d}"
            yield f"provenance.certificate: certificate {number} of the chain is not valid before {when}."


def _algorithm(key: Any) -> str | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ALGORITHMS.get(key.curve.name)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ED25519"
    return "PS256" if isinstance(key, rsa.RSAPrivateKey) else None


def _why(error: Exception) -> str:
    if isinstance(error, TypeError):  # of a password that is missing, or that the key does not have
        return "it has a password: provenance.password" if "not given" in str(error) else "it has no password"
    return "no private key, or the wrong password"
