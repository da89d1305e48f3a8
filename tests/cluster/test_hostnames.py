"""Host names of namespaces: allowed by whoever may annotate one, and by age where two ask."""

from pathlib import Path

import behaviour_models as models
from cluster_access import Cluster, Namespace, Object
from cluster_installation import MODELS_DOMAIN, give_credentials
from cluster_looks import condition
from cluster_models import ask, gateway_url, model_of, wait_up_to_date
from cluster_operator import Operator
from store_servers import Store


def allow(namespace: Namespace, hosts: str) -> None:
    namespace.cluster.kubectl(
        "annotate", "namespace", namespace.name, "--overwrite", f"slipway.dev/hostnames={hosts}"
    )


def apply(namespace: Namespace, registry: Store, file: Path, host: str) -> None:
    give_credentials(namespace)
    document = model_of(registry, file, "churn")
    document["spec"]["traffic"] = {"hostnames": [host]}
    namespace.apply(document)


def wait_reason(namespace: Namespace, reason: str) -> Object:
    def look() -> Object | None:
        found = condition(namespace, "Ready")
        return found if found.get("reason") == reason else None

    return namespace.wait(f"Ready says {reason}", look)


def hosts_of(namespace: Namespace) -> list[str]:
    return list(namespace.get("httproute", "churn")["spec"]["hostnames"])


def test_a_host_is_served_as_long_as_the_namespace_may_use_it(
    operator: Operator, cluster: Cluster, namespace: Namespace, registry: Store, tmp_path: Path
) -> None:
    host, own = f"shop.{namespace.name}.test", f"churn.{namespace.name}.{MODELS_DOMAIN}"
    apply(namespace, registry, models.classifier(tmp_path / "m.joblib"), host)
    namespace.wait("it answers", lambda: condition(namespace, "Available")["status"] == "True")
    told = wait_reason(namespace, "HostnameNotAllowed")
    assert told["status"] == "False"
    assert host in told["message"]
    assert condition(namespace, "UpToDate")["status"] == "False"
    assert hosts_of(namespace) == [own]
    assert ask(gateway_url(cluster), models.table(2), host=own)

    allow(namespace, f"other.test, *.{namespace.name}.test")
    wait_up_to_date(namespace, "churn")
    assert condition(namespace, "Ready")["status"] == "True"
    assert hosts_of(namespace) == [own, host]
    assert ask(gateway_url(cluster), models.table(2), host=host)

    allow(namespace, "other.test")
    namespace.kubectl("annotate", "md", "churn", "look=again")
    wait_reason(namespace, "HostnameNotAllowed")
    assert hosts_of(namespace) == [own]


def test_of_two_models_the_older_one_has_it_and_the_other_gets_it_afterwards(
    operator: Operator,
    namespace: Namespace,
    neighbour: Namespace,
    registry: Store,
    tmp_path: Path,
) -> None:
    file, host = models.classifier(tmp_path / "m.joblib"), f"shop.{namespace.name}.test"
    allow(namespace, host)
    apply(namespace, registry, file, host)
    wait_up_to_date(namespace, "churn")
    allow(neighbour, "*")
    apply(neighbour, registry, file, host)
    told = wait_reason(neighbour, "RouteConflict")
    assert f"{namespace.name}/churn" in told["message"]
    assert host not in hosts_of(neighbour)
    assert host in hosts_of(namespace)
    namespace.kubectl("delete", "md", "churn")
    wait_up_to_date(neighbour, "churn")
    assert host in hosts_of(neighbour)
    answer = neighbour.wait(
        "the gateway sends it there",
        lambda: ask(gateway_url(neighbour.cluster), models.table(2), host=host),
    )
    assert answer
