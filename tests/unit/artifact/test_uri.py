"""Which source URIs are taken, which are refused and why, and what of them is ever shown."""

import pytest

from slipway_runtime.artifact.uri import LATER_SCHEMES, parse_uri, redact_uri
from slipway_runtime.errors import BuildError

FIELD = "spec.model.uri"


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        pytest.param("file:/abs/m.joblib", ("file", "", 0, "/abs/m.joblib", "m.joblib"), id="file"),
        pytest.param("file:///abs/m%20x", ("file", "", 0, "/abs/m x", "m_x"), id="file-blank"),
        pytest.param("https://h/a/m.onnx", ("https", "h", 443, "/a/m.onnx", "m.onnx"), id="https"),
        pytest.param("https://H:8443/m?s=1", ("https", "h", 8443, "/m", "m"), id="https-port"),
        pytest.param("https://h/", ("https", "h", 443, "/", "model"), id="https-no-name"),
        pytest.param("s3://b/k/7/m.jl", ("s3", "b", 0, "k/7/m.jl", "m.jl"), id="s3"),
        pytest.param("s3://b/k%2Fm", ("s3", "b", 0, "k/m", "m"), id="s3-encoded"),
        pytest.param("gs://b/k/m.jl", ("gs", "b", 0, "k/m.jl", "m.jl"), id="gs"),
        pytest.param("az://c/k%20m", ("az", "c", 0, "k m", "k_m"), id="az"),
        pytest.param("oci://H/a/b:1.2", ("oci", "h", 443, "a/b", "b"), id="oci"),
        pytest.param("oci://[::1]:5000/b", ("oci", "::1", 5000, "b", "b"), id="oci-port"),
        pytest.param("https://h/..%2f.rc", ("https", "h", 443, "/..%2f.rc", "rc"), id="dots"),
    ],
)
def test_taken(uri: str, parts: tuple[str, str, int, str, str]) -> None:
    parsed = parse_uri(uri, field=FIELD, allow_file=True)
    assert (parsed.scheme, parsed.host, parsed.port, parsed.path, parsed.name) == parts


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("ftp://h/m", id="ftp"),
        pytest.param("gopher://h/m", id="gopher"),
        pytest.param("data:text/plain,x", id="data"),
        pytest.param("hdfs://h/m", id="hdfs"),
        pytest.param("/etc/passwd", id="bare-path"),
        pytest.param("", id="empty"),
        pytest.param("https://user:word@h/m", id="userinfo"),
        pytest.param("https://user@h/m", id="user"),
        pytest.param("https:///m", id="no-host"),
        pytest.param("https://h/m#part", id="fragment"),
        pytest.param("s3://b/k?versionId=1", id="s3-query"),
        pytest.param("s3://b", id="s3-no-key"),
        pytest.param("s3://b/folder/", id="s3-folder"),
        pytest.param("s3://b:80/k", id="s3-port"),
        pytest.param("s3://b/a/../k", id="s3-up"),
        pytest.param("gs://b/%2e%2e/k", id="gs-up-encoded"),
        pytest.param("gs://b", id="gs-no-key"),
        pytest.param("az://c/", id="az-no-path"),
        pytest.param("oci://h", id="oci-no-repository"),
        pytest.param("oci://h/Capital:1", id="oci-capital"),
        pytest.param("oci://h/a/../b:1", id="oci-up"),
        pytest.param("oci://h/a%2fb:1", id="oci-encoded"),
        pytest.param("oci://h/a:1:2", id="oci-two-tags"),
        pytest.param("oci://h/a@sha256:12", id="oci-short-digest"),
        pytest.param("oci://h/a@md5:12", id="oci-other-digest"),
        pytest.param("oci://h/a?x=1", id="oci-query"),
        pytest.param("oci://user:word@h/a:1", id="oci-userinfo"),
        pytest.param("pvc://claim/m", id="pvc-on-a-laptop"),
        pytest.param("file://server/share/m", id="file-host"),
        pytest.param("file:relative/m", id="file-relative"),
        pytest.param("https://h/m\r\nX: y", id="header-injection"),
        pytest.param("https://h/m x", id="blank"),
        pytest.param("https://h:99999/m", id="port"),
        pytest.param("https://[::1/m", id="bracket"),
    ],
)
def test_refused(uri: str) -> None:
    with pytest.raises(BuildError) as caught:
        parse_uri(uri, field=FIELD, allow_file=True)
    assert caught.value.reason == "URIForbidden"
    assert FIELD in caught.value.message
    assert "word" not in caught.value.message.replace("password", "")


@pytest.mark.parametrize("scheme", sorted(LATER_SCHEMES))
def test_later_schemes_say_so(scheme: str) -> None:
    with pytest.raises(BuildError) as caught:
        parse_uri(f"{scheme}://h/m", field=FIELD, allow_file=True)
    assert caught.value.reason == "URISchemeNotYetSupported"


def test_file_needs_a_laptop() -> None:
    with pytest.raises(BuildError, match="laptop only") as caught:
        parse_uri("file:/abs/m", field=FIELD, allow_file=False)
    assert caught.value.reason == "URIForbidden"


@pytest.mark.parametrize(
    ("path", "reference", "address"),
    [
        ("h/a", "latest", "h"),
        ("h/a:7.1", "7.1", "h"),
        ("h:443/a:7", "7", "h"),
        ("h:5000/a/b", "latest", "h:5000"),
        ("[::1]:5000/a", "latest", "[::1]:5000"),
        (f"h/a@sha256:{'0' * 64}", f"sha256:{'0' * 64}", "h"),
        (f"h/a:7@sha256:{'0' * 64}", f"sha256:{'0' * 64}", "h"),
    ],
)
def test_what_of_a_registry(path: str, reference: str, address: str) -> None:
    parsed = parse_uri(f"oci://{path}", field=FIELD, allow_file=True)
    assert (parsed.reference, parsed.address) == (reference, address)


@pytest.mark.parametrize("uri", ["pvc://Claim/m", "pvc://c:1/m", "pvc://c", "pvc://c/a/../../m"])
def test_a_claim_that_is_none(uri: str) -> None:
    with pytest.raises(BuildError) as caught:
        parse_uri(uri, field=FIELD, allow_file=False)
    assert caught.value.reason == "URIForbidden"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://u:p@h:8/m?sig=secret#f", "https://h:8/m"),
        ("s3://b/k", "s3://b/k"),
        ("file:/abs/m", "file:/abs/m"),
        ("file:///abs/m", "file:///abs/m"),
    ],
)
def test_only_harmless_parts_are_shown(uri: str, shown: str) -> None:
    assert redact_uri(uri) == shown
