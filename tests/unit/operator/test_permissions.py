"""The one table of rights: nothing of Secrets but their existence, and all that the core plans."""

from slipway_operator.edges.kubernetes.permissions import PERMISSIONS, Scope
from slipway_operator.edges.kubernetes.resources import CHILDREN, find_resource
from slipway_operator.state.identity import ChildKind


def test_secrets_are_asked_for_by_name_and_nothing_else() -> None:
    (secrets,) = [one for one in PERMISSIONS if one.resource.kind == "Secret"]
    assert secrets.verbs == ("get",)


def test_no_right_is_everything() -> None:
    for permission in PERMISSIONS:
        assert "*" not in (*permission.verbs, permission.plural, permission.resource.group)
        if permission.scope is Scope.CLUSTER:
            assert permission.verbs == ("get",)
            assert permission.names


def test_every_kind_of_child_has_its_resource_and_its_rights() -> None:
    assert {child.kind for child in CHILDREN} == set(ChildKind)
    for kind in ChildKind:
        resource = find_resource(kind)
        (right,) = [one for one in PERMISSIONS if one.resource is resource]
        assert {"list", "watch", "create", "patch", "delete"} <= set(right.verbs)


def test_paths() -> None:
    route = find_resource("HTTPRoute")
    root = "/apis/gateway.networking.k8s.io/v1"
    assert route.path(namespace="n", name="a") == f"{root}/namespaces/n/httproutes/a"
    assert route.path() == f"{root}/httproutes"
    model = find_resource("ModelDeployment")
    assert model.path(namespace="n", name="a", part="status").endswith("/modeldeployments/a/status")
    assert find_resource("Pod").path(namespace="n") == "/api/v1/namespaces/n/pods"
