"""Private, special and wrapped addresses are never public; the administrator's exceptions hold."""

import pytest

from slipway_runtime.artifact.addresses import (
    AllowList,
    is_public,
    parse_allow_list,
    resolve_checked,
)
from slipway_runtime.errors import BuildError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:a00:1::", "2001:db8::1",
        "2001:0:53aa:64c::1", "::10.0.0.1", "::ffff:0:10.0.0.1", "fec0::1", "3fff::1", "5f00::1",
        "192.0.0.192", "192.88.99.1", "100::1",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "::1", "127.1"]
)
def test_loopback_in_any_spelling_is_refused(host: str) -> None:
    with pytest.raises(BuildError) as caught:
        resolve_checked(host, 443, AllowList(frozenset()))
    # A resolver may not know a spelling at all; it never becomes a connection.
    assert caught.value.reason in ("URIForbidden", "SourceUnavailable")


def test_refusal_names_the_way_out() -> None:
    with pytest.raises(BuildError, match=r"SLIPWAY_FETCH_ALLOW=127\.0\.0\.1:443"):
        resolve_checked("127.0.0.1", 443, AllowList(frozenset()))


def test_exception_is_for_that_port_alone() -> None:
    allowed = parse_allow_list("127.0.0.1:9000")
    assert resolve_checked("127.0.0.1", 9000, allowed) == ("127.0.0.1",)
    with pytest.raises(BuildError):
        resolve_checked("127.0.0.1", 9001, allowed)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", set()),
        (" ", set()),
        ("a:1", {("a", 1)}),
        ("A.example:443, b:80", {("a.example", 443), ("b", 80)}),
        ("[::1]:9000", {("::1", 9000)}),
    ],
)
def test_allow_list(text: str, pairs: set[tuple[str, int]]) -> None:
    assert parse_allow_list(text).pairs == pairs


@pytest.mark.parametrize("text", ["host", "host:", ":80", "host:x", "host:0", "host:70000"])
def test_allow_list_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="SLIPWAY_FETCH_ALLOW"):
        parse_allow_list(text)
