"""A certificate authority for one test, with keys on disk."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Issued:
    certificate: Path
    key: Path


class Authority:
    """Issues certificates below one self-signed root; ``certificate`` is the root's file."""

    def __init__(self, folder: Path, name: str, *, days: float = 1) -> None:
        """All certificates are good for ``days``, from a day ago on."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._days = days
        self._key = ec.generate_private_key(ec.SECP256R1())
        root = (
            _template(self._name, self._name, self._key, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, address: str | None = None) -> Issued:
        """Issue a certificate for ``name``, and for an IPv4 ``address`` of a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternatives: list[x509.GeneralName] = [] if "/" in name else [x509.DNSName(name)]
        if address is not None:
            alternatives.append(x509.IPAddress(IPv4Address(address)))
        template = _template(subject, self._name, key, self._days)
        if alternatives:
            template = template.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = template.sign(self._key, hashes.SHA256())
        file = name.replace("/", "-")
        issued = Issued(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued


def _template(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )
