"""No port is promised twice, by whichever engine."""

import socket
from pathlib import Path

from slipway_operator.local.ports import POD_PORTS, PortBook, is_free

FEW = range(POD_PORTS.stop - 50, POD_PORTS.stop)


def test_two_engines_never_promise_one_port(tmp_path: Path) -> None:
    one, other = PortBook(tmp_path), PortBook(tmp_path)
    first = one.choose(FEW, taken=())
    assert first is not None
    second = other.choose(FEW, taken=())
    assert second not in (None, first)
    assert not other.claim(first)
    assert one.claim(first), "its own claim stays"


def test_a_port_that_nobody_uses_any_more_is_let_go(tmp_path: Path) -> None:
    one, other = PortBook(tmp_path), PortBook(tmp_path)
    first = one.choose(FEW, taken=())
    assert first is not None
    kept = one.choose(FEW, taken={first})
    assert kept not in (None, first)
    assert not other.claim(first), "it is still taken"
    assert one.choose(FEW, taken={kept}) == first, "nobody uses it, so it is the first free one"


def test_a_port_that_a_stranger_listens_on_is_passed_over(tmp_path: Path) -> None:
    book = PortBook(tmp_path)
    free = next(port for port in FEW if is_free(port))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", free))
        stranger.listen()
        assert book.choose([free], taken=()) is None
    assert PortBook(tmp_path).claim(free), "it was not kept locked"
