"""An API server that fails, stalls or says nothing: the operator gets there, and asks with measure.

The faults are made by a proxy between the two. As in `test_operator.py` the build image exists
nowhere: a model has got there when its Job is made and the missing image is told. The operator
watches one namespace and has a Lease of its own, so that others may be at work beside it.
"""

import time
from collections.abc import Iterator

import pytest

from cluster_access import Cluster, Namespace
from cluster_fixtures import watching
from cluster_looks import CONFIG, children, condition, model
from cluster_operator import Operator, install_account, write_kubeconfig
from fault_acts import answer, drop, silence_watch, truncate_watch, watch_error
from fault_proxy import FaultProxy

WRITES = ("create", "update", "patch", "delete")
MODELS = "modeldeployments"


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster.kubeconfig).running() as running:
        yield running


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Namespace]:
    with cluster.namespace() as made:
        yield made


@pytest.fixture
def namespace(place: Namespace) -> Iterator[Namespace]:
    """The one that the operator watches, empty."""
    yield place
    place.kubectl("delete", "md", "--all")
    place.wait("nothing is left", lambda: not children(place))


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    proxy: FaultProxy,
    place: Namespace,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    install_account(cluster)
    folder = tmp_path_factory.mktemp("operator")
    account = write_kubeconfig(cluster, folder / "account")
    kubeconfig = proxy.write_kubeconfig(account, folder / "kubeconfig")
    config = {**CONFIG, **watching(place)}
    running = Operator(folder=folder, kubeconfig=kubeconfig, config=config).start().wait_leading()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def unharmed(proxy: FaultProxy, operator: Operator, namespace: Namespace) -> Iterator[None]:
    """Every test begins and ends without a rule, with an operator that runs."""
    yield
    proxy.rules.clear()
    proxy.cut_watches(MODELS)  # one that was made silent would stay so
    assert operator.process is not None
    assert operator.process.poll() is None, operator.log


def wait_there(namespace: Namespace, proxy: FaultProxy) -> None:
    """Until the model got as far as it can, and then no more is asked than what has to be."""
    namespace.wait(
        "all is told", lambda: "none@sha256" in condition(namespace, "Ready").get("message", "")
    )
    namespace.wait("it writes no more", lambda: is_silent(proxy, seconds=3))
    before = len(proxy.record)
    time.sleep(3)
    assert len(proxy.record) - before < 20, proxy.record[before:]
    assert condition(namespace, "Stalled").get("status") != "True"


def is_silent(proxy: FaultProxy, *, seconds: float) -> bool:
    before = len(proxy.writes)
    time.sleep(seconds)
    return len(proxy.writes) == before


def test_lists_that_fail_at_the_start(
    operator: Operator, proxy: FaultProxy, namespace: Namespace
) -> None:
    operator.stop()
    rule = proxy.strike(answer(503), "list", which=lambda number: number <= 8)
    namespace.apply(model())
    operator.start().wait_leading()
    wait_there(namespace, proxy)
    assert len(rule.struck) == 8


@pytest.mark.parametrize(("code", "times"), [(410, 3), (500, 1)], ids=["expired", "internal"])
def test_watches_that_end_in_an_error(
    operator: Operator, proxy: FaultProxy, namespace: Namespace, code: int, times: int
) -> None:
    rule = proxy.strike(watch_error(code), "watch", which=lambda number: number <= times)
    assert proxy.cut_watches(MODELS) + proxy.cut_watches("jobs") + proxy.cut_watches("pods") == 3
    namespace.wait("they ended", lambda: len(rule.struck) == times)
    namespace.apply(model())
    wait_there(namespace, proxy)


def test_a_watch_that_breaks_off_in_the_middle_of_a_line(
    operator: Operator, proxy: FaultProxy, namespace: Namespace
) -> None:
    rule = proxy.strike(truncate_watch(), "watch", resource=MODELS, which=1)
    proxy.cut_watches(MODELS)
    namespace.wait("it is opened again", lambda: rule.seen)
    namespace.apply(model())
    wait_there(namespace, proxy)
    assert len(rule.struck) == 1


def test_a_watch_that_says_nothing(
    operator: Operator, proxy: FaultProxy, namespace: Namespace
) -> None:
    rule = proxy.strike(silence_watch(), "watch", resource=MODELS, which=1)
    proxy.cut_watches(MODELS)
    namespace.wait("it is open and silent", lambda: rule.struck)
    namespace.apply(model())
    wait_there(namespace, proxy)
    assert rule.seen == 1, "nobody opened another watch: the silent one was still there"


def test_what_was_deleted_while_nobody_could_watch_is_made_again(
    operator: Operator, proxy: FaultProxy, namespace: Namespace
) -> None:
    namespace.apply(model())
    wait_there(namespace, proxy)
    old = namespace.get("networkpolicy", "churn")["metadata"]["uid"]

    def delete() -> str:
        return namespace.kubectl("delete", "networkpolicy", "churn")

    rule = proxy.strike(
        watch_error(410, before=delete), "watch", resource="networkpolicies", which=1
    )
    proxy.cut_watches("networkpolicies")
    namespace.wait("the gap is over", lambda: rule.struck)
    namespace.wait(
        "it is another",
        lambda: namespace.get("networkpolicy", "churn")["metadata"]["uid"] != old,
    )
    wait_there(namespace, proxy)


def test_asked_to_wait_it_waits(
    operator: Operator, proxy: FaultProxy, namespace: Namespace
) -> None:
    rule = proxy.strike(answer(429, retry_after=2), *WRITES, which=lambda number: number <= 3)
    began = len(proxy.writes)
    namespace.apply(model())
    wait_there(namespace, proxy)
    assert len(rule.struck) == 3
    asked = proxy.writes[began:]
    for number, refused in enumerate(asked):
        again = [one for one in asked[number + 1 :] if one.request == refused.request]
        if refused.status == 429:
            assert again[0].at - refused.at > 1.9


@pytest.mark.parametrize("code", [409, 422, 500, None], ids=str)
def test_every_third_write_fails(
    operator: Operator, proxy: FaultProxy, namespace: Namespace, code: int | None
) -> None:
    act = drop(committed=True) if code is None else answer(code)
    rule = proxy.strike(act, *WRITES, which=is_third)
    began = len(proxy.writes)
    namespace.apply(model())
    namespace.wait(
        "all is told", lambda: "none@sha256" in condition(namespace, "Ready").get("message", "")
    )
    assert rule.struck
    namespace.kubectl("delete", "md", "churn")
    namespace.wait("nothing is left", lambda: not children(namespace))
    assert len(proxy.writes) - began < 60, proxy.writes[began:]


def is_third(number: int) -> bool:
    return number % 3 == 0


def test_a_reply_that_is_lost_makes_nothing_twice(
    operator: Operator, proxy: FaultProxy, namespace: Namespace
) -> None:
    rule = proxy.strike(drop(committed=True), "create", "patch", resource="jobs", which=1)
    namespace.apply(model())
    wait_there(namespace, proxy)
    assert len(rule.struck) == 1
    assert len(namespace.list("jobs")) == 1
