"""A way in for a plain kubectl: a TLS server of the API and a kubeconfig that trusts it alone.

kubectl sends no token over plain HTTP. The key is made anew at every start and never leaves the
data folder; whoever can read it can read the token beside it.
"""

import base64
import ipaddress
from datetime import datetime, timedelta
from typing import Final

import yaml
from starlette.applications import Starlette

from slipway_operator.edges.clock import utc_now
from slipway_operator.local.api.server import ApiServer
from slipway_operator.local.datafolder import DataFolder, write_private
from slipway_operator.local.ports import LOOPBACK

NAME: Final = "slipway"
_YEARS: Final = 10


class KubectlAccess:
    """Serves an application to kubectl for as long as the engine runs."""

    def __init__(self, data: DataFolder, application: Starlette, *, token: str) -> None:
        """Make key and certificate.

        Raises:
            OSError: they cannot be written.
        """
        self._data, self._token = data, token
        pem, self._certificate = make_certificate(utc_now())
        write_private(data.certificate, pem)
        self._server = ApiServer(application, certificate=data.certificate)

    async def start(self) -> None:
        """Serve, and say in ``DATA/kubeconfig`` where."""
        await self._server.start()
        url = f"https://{LOOPBACK}:{self._server.port}"
        write_private(self._data.kubeconfig, render_kubeconfig(url, self._token, self._certificate))

    async def close(self) -> None:
        """Serve no more, and take away what would lead here."""
        await self._server.close()
        self._data.kubeconfig.unlink(missing_ok=True)
        self._data.certificate.unlink(missing_ok=True)


def render_kubeconfig(url: str, token: str, certificate: str) -> str:
    """A kubeconfig with one cluster, one user and one context, all named ``slipway``."""
    authority = base64.b64encode(certificate.encode()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [
            {"name": NAME, "cluster": {"server": url, "certificate-authority-data": authority}}
        ],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [
            {"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": "default"}}
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


def make_certificate(now: datetime) -> tuple[str, str]:
    """A new key with its certificate, and the certificate alone, as PEM: for 127.0.0.1 only."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Slipway engine")])
    address = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a clock may be set back a little
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False,
                crl_sign=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return private + public, public
