"""Keys, certificates and kubeconfigs of the cluster (Kubernetes' "PKI certificates" page)."""

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rig.network import API_IP, NODE_IP

NODE = "node1"
SERVER = f"https://{NODE_IP}:6443"
_USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "kube-proxy": ("system:kube-proxy", None),
}
_API_NAMES = (
    "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local", "localhost",
)  # fmt: skip
_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(folder: Path) -> None:
    """Write them all; what is there is kept, so that clusters after the first have the same."""
    if (folder / "admin.kubeconfig").exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    cluster = _make_authority(folder, "ca", "kubernetes-ca")
    front = _make_authority(folder, "front-proxy-ca", "front-proxy-ca")
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    addresses = ("127.0.0.1", API_IP, NODE_IP)
    _issue(
        folder,
        "apiserver",
        cluster,
        ("kube-apiserver", None),
        server,
        names=_API_NAMES,
        addresses=addresses,
    )
    kubelet_client = ("kube-apiserver-kubelet-client", "system:masters")
    _issue(folder, "apiserver-kubelet-client", cluster, kubelet_client, client)
    _issue(folder, "front-proxy-client", front, ("front-proxy-client", None), client)
    _issue(
        folder,
        "kubelet-server",
        cluster,
        _USERS["kubelet"],
        server,
        names=(NODE,),
        addresses=(NODE_IP,),
    )
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(folder / "sa.key", _private(signer))
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(folder / "sa.pub", public)
    for name, subject in reversed(_USERS.items()):  # the administrator's last: it says all is there
        _issue(folder, name, cluster, subject, client)
        _write_kubeconfig(folder, name)


def _make_authority(folder: Path, name: str, common: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    certificate = (
        _begin(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(folder / f"{name}.key", _private(key))
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    return _Authority(certificate=certificate, key=key)


def _issue(
    folder: Path,
    name: str,
    authority: _Authority,
    subject: tuple[str, str | None],
    use: x509.ObjectIdentifier,
    *,
    names: tuple[str, ...] = (),
    addresses: tuple[str, ...] = (),
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    common, group = subject
    told = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if group:
        told.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    builder = (
        _begin(x509.Name(told), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )
    if names or addresses:
        others: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
        others += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    _write(folder / f"{name}.key", _private(key))
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
    )


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write_kubeconfig(folder: Path, name: str) -> None:
    def read(file: str) -> str:
        return base64.b64encode((folder / file).read_bytes()).decode()

    cluster = {"server": SERVER, "certificate-authority-data": read("ca.crt")}
    user = {
        "client-certificate-data": read(f"{name}.crt"), "client-key-data": read(f"{name}.key"),
    }  # fmt: skip
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "slipway-test", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [
            {"name": "slipway-test", "context": {"cluster": "slipway-test", "user": name}}
        ],
        "current-context": "slipway-test",
    }
    _write(folder / f"{name}.kubeconfig", yaml.safe_dump(document).encode())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
