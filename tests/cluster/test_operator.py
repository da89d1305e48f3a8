"""The operator on a real API server: what it makes, tells, mends and leaves alone.

Its build image does not exist here: pods of builds are made and wait for ever, as they do where an
installation is wrong. Whole builds are in `test_whole.py`.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster_access import Cluster, Namespace, Object, Refused
from cluster_inventory import list_models
from cluster_looks import CONFIG, URI, children, condition, kinds_of, model
from cluster_operator import SYSTEM, Operator, install_account, running_operator, write_kubeconfig


@pytest.fixture(scope="module")
def operator(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **CONFIG) as running:
        yield running


def test_a_build_is_started_and_a_wrong_installation_is_told(
    operator: Operator, namespace: Namespace
) -> None:
    namespace.apply(model())
    namespace.wait("there is a pod", lambda: "Pod" in kinds_of(namespace))
    assert {"ServiceAccount", "NetworkPolicy", "Job", "Pod"} <= kinds_of(namespace)
    told = namespace.wait(
        "the image is named",
        lambda: (
            found
            if "none@sha256" in (found := condition(namespace, "Ready")).get("message", "")
            else None
        ),
    )
    assert told["status"] == "False"
    line = namespace.kubectl("get", "md", "churn").splitlines()[1]
    assert told["reason"] in line
    assert namespace.get("md", "churn")["status"]["observedGeneration"] == 1
    assert told["reason"] in namespace.kubectl("describe", "md", "churn")


def test_deleted_in_the_middle_of_a_build_nothing_is_left(
    operator: Operator, namespace: Namespace
) -> None:
    namespace.apply(model())
    namespace.wait("there is a pod", lambda: "Pod" in kinds_of(namespace))
    namespace.kubectl("delete", "md", "churn")
    namespace.wait("everything is gone", lambda: not children(namespace))
    namespace.apply(model())
    namespace.wait("it is built again", lambda: "Pod" in kinds_of(namespace))


def test_made_again_at_once_in_the_middle_of_a_build_it_has_its_own(
    operator: Operator, namespace: Namespace
) -> None:
    namespace.apply(model())
    namespace.wait("there is a pod", lambda: "Pod" in kinds_of(namespace))
    namespace.kubectl("delete", "md", "churn")
    namespace.apply(model())
    uid = namespace.get("md", "churn")["metadata"]["uid"]
    namespace.wait(
        "there is a pod, and all is of the second",
        lambda: "Pod" in kinds_of(namespace) and list_models(namespace) == {uid},
    )


def test_a_child_that_was_edited_by_hand_is_put_back(
    operator: Operator, namespace: Namespace
) -> None:
    namespace.apply(model())
    namespace.wait("there is a Job", lambda: "Job" in kinds_of(namespace))
    before = namespace.get("networkpolicy", "churn")["spec"]
    namespace.kubectl(
        "patch", "networkpolicy", "churn", "--type=merge", "-p", '{"spec":{"egress":[{}]}}'
    )
    namespace.wait(
        "it is as it was", lambda: namespace.get("networkpolicy", "churn")["spec"] == before
    )
    namespace.wait("it is told", lambda: "DriftCorrected" in namespace.kubectl("get", "events"))


def test_a_strangers_object_of_our_name_is_never_taken(
    operator: Operator, namespace: Namespace
) -> None:
    stranger = {
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "churn", "labels": {"whose": "mine"}},
    }  # fmt: skip
    namespace.apply(stranger)
    namespace.apply(model())
    namespace.wait(
        "it is told", lambda: condition(namespace, "Ready").get("reason") == "NameConflict"
    )
    found = namespace.get("serviceaccount", "churn")["metadata"]
    assert found["labels"] == {"whose": "mine"}
    assert "ownerReferences" not in found
    namespace.kubectl("delete", "serviceaccount", "churn")
    namespace.kubectl("annotate", "md", "churn", "look=again")
    namespace.wait(
        "its own is made",
        lambda: "ownerReferences" in namespace.get("serviceaccount", "churn")["metadata"],
    )


def test_a_secret_that_comes_later_starts_the_build(
    operator: Operator, namespace: Namespace
) -> None:
    access = {"secretRef": {"name": "keys"}}
    namespace.apply(model(model={"uri": URI, "access": access}))
    namespace.wait(
        "it is told", lambda: condition(namespace, "Ready").get("reason") == "SecretNotFound"
    )
    assert "Job" not in kinds_of(namespace)
    namespace.kubectl("create", "secret", "generic", "keys", "--from-literal=token=planted-8152")
    namespace.wait("the build starts", lambda: "Job" in kinds_of(namespace))
    everything = namespace.kubectl("get", "md,jobs,pods,events", "-o", "yaml")
    assert "planted-8152" not in everything
    assert "planted-8152" not in operator.log


def test_an_invalid_spec_is_refused_at_the_door(operator: Operator, namespace: Namespace) -> None:
    with pytest.raises(Refused, match="starts with one of"):
        namespace.apply(model(model={"uri": "gopher://models/churn"}))


def test_what_is_missing_after_a_time_without_operator_is_made_again(
    operator: Operator, namespace: Namespace
) -> None:
    namespace.apply(model())
    namespace.wait("there is a Job", lambda: "Job" in kinds_of(namespace))
    operator.kill()
    namespace.kubectl("delete", "networkpolicy,serviceaccount", "--all")
    operator.start().wait_leading()
    namespace.wait(
        "they are back", lambda: {"NetworkPolicy", "ServiceAccount"} <= kinds_of(namespace)
    )


def test_nothing_is_written_where_nothing_changes(operator: Operator, namespace: Namespace) -> None:
    namespace.apply(model())
    namespace.wait(
        "all is told", lambda: "none@sha256" in condition(namespace, "Ready").get("message", "")
    )
    namespace.wait("it is still", lambda: is_still(namespace))


def is_still(namespace: Namespace) -> bool:
    """Whether no object of the namespace changed for some seconds."""

    def versions() -> set[str]:
        listed = namespace.list("md,serviceaccounts,networkpolicies,jobs")
        return {obj["metadata"]["resourceVersion"] for obj in listed}

    before = versions()
    time.sleep(8)
    return versions() == before


def test_a_missing_right_is_told_and_heals(
    operator: Operator, namespace: Namespace, cluster: Cluster
) -> None:
    install_account(cluster, without=("networkpolicies",))
    try:
        namespace.apply(model())
        told = namespace.wait(
            "it is told",
            lambda: (
                found
                if (found := condition(namespace, "Stalled")).get("reason") == "OperatorForbidden"
                else None
            ),
        )
        assert "networkpolicies" in told["message"]
        assert told["status"] == "True"
    finally:
        install_account(cluster)
    namespace.wait("it goes on", lambda: "Job" in kinds_of(namespace))
    namespace.wait(
        "it is told no more",
        lambda: condition(namespace, "Stalled").get("reason") != "OperatorForbidden",
    )


def test_a_second_replica_waits_and_takes_over(
    operator: Operator, namespace: Namespace, cluster: Cluster, tmp_path: Path
) -> None:
    second = Operator(
        folder=tmp_path,
        kubeconfig=write_kubeconfig(cluster, tmp_path / "kubeconfig"),
        config=CONFIG,
        name="operator-1",
    ).start()
    try:
        namespace.wait("it answers", lambda: second.metric("slipway_operator_leader") is not None)
        assert second.metric("slipway_operator_leader") == 0.0
        before = lease(cluster)
        operator.kill()
        second.wait_leading()
        after = lease(cluster)
        assert after["holderIdentity"].startswith("operator-1")
        assert after["leaseTransitions"] == before["leaseTransitions"] + 1
        namespace.apply(model())
        namespace.wait("it works", lambda: "Job" in kinds_of(namespace))
        operator.start()
    finally:
        assert second.stop() == 0
    # given up at its end, so that the other need not wait for its time
    operator.wait_leading()


def lease(cluster: Cluster) -> Object:
    told = cluster.kubectl("-n", SYSTEM, "get", "lease", "slipway-operator", "-o", "json")
    found: Object = json.loads(told)["spec"]
    return found
