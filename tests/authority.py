"""A certificate authority of the tests' own, and what it issues."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class Issued(NamedTuple):
    """PEM files: a chain, the key of its first certificate, and the authority's certificate."""

    certificate: Path
    key: Path
    authority: Path

    @property
    def settings(self) -> list[str]:
        return ["provenance=signed", f"provenance.certificate={self.certificate}", f"provenance.key={self.key}"]


def issue(folder: Path, *, days: tuple[int, int] = (-1, 30), password: str | None = None) -> Issued:
    """A certificate for signing pictures, valid between these days from now."""
    folder.mkdir(parents=True, exist_ok=True)
    above, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Authority of the tests", above, "Authority of the tests", above, (-90, 90))
    leaf = _certificate("Signer of the tests", own, "Authority of the tests", above, days)
    secret = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    files = Issued(folder / "chain.pem", folder / "private-of-the-signer.pem", folder / "authority.pem")
    files.certificate.write_bytes(leaf.public_bytes(PEM) + authority.public_bytes(PEM))
    files.key.write_bytes(own.private_bytes(PEM, serialization.PrivateFormat.PKCS8, secret))
    files.authority.write_bytes(authority.public_bytes(PEM))
    return files


def issue_alone(folder: Path) -> Issued:
    """A certificate that its own key signed, and that may sign certificates alone."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    files = Issued(folder / "chain.pem", folder / "key.pem", folder / "chain.pem")
    files.certificate.write_bytes(_certificate("Alone", key, "Alone", key, (-1, 1)).public_bytes(PEM))
    files.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def _certificate(name: str, key: Any, issuer: str, issuer_key: Any, days: tuple[int, int]) -> x509.Certificate:
    now, is_authority = datetime.now(timezone.utc), name == issuer
    uses = {"key_cert_sign", "crl_sign"} if is_authority else {"digital_signature"}
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days[0]))
        .not_valid_after(now + timedelta(days[1]))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{use: use in uses for use in USES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])
