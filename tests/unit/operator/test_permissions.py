"""The one table of rights: nothing of Secrets but their existence, and all that the core plans."""

from slipway_operator.edges.kubernetes.permissions import (
    PERMISSIONS,
    Scope,
    list_permissions,
    render_rules,
)
from slipway_operator.edges.kubernetes.resources import CHILDREN, find_resource
from slipway_operator.settings import RegistryCredentials
from slipway_operator.state.identity import PASSING_KINDS, ChildKind


def test_secrets_are_asked_for_by_name_and_nothing_else() -> None:
    for credentials in RegistryCredentials:
        verbs = {
            verb
            for one in list_permissions(credentials)
            if one.resource.kind == "Secret"
            for verb in one.verbs
        }
        writes = {"patch"} if credentials is RegistryCredentials.EMBEDDED else set()
        assert verbs == {"get", "create"} | writes


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
        removal = {"delete"} if kind in PASSING_KINDS else set()
        assert set(right.verbs) == {"get", "list", "watch", "create", "patch"} | removal


def test_a_role_is_rendered_as_rbac_spells_it() -> None:
    assert render_rules(Scope.OWN) == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["create", "get", "update"],
        }
    ]
    (definition,) = render_rules(Scope.CLUSTER)
    assert definition["resourceNames"] == ["modeldeployments.slipway.dev"]
    plain, embedded = (
        render_rules(Scope.MODELS, credentials=credentials)
        for credentials in (RegistryCredentials.NONE, RegistryCredentials.EMBEDDED)
    )
    (more,) = [rule for rule in embedded if rule not in plain]
    assert (more["resources"], more["verbs"]) == (["secrets"], ["patch"])


def test_paths() -> None:
    route = find_resource("HTTPRoute")
    root = "/apis/gateway.networking.k8s.io/v1"
    assert route.path(namespace="n", name="a") == f"{root}/namespaces/n/httproutes/a"
    assert route.path() == f"{root}/httproutes"
    model = find_resource("ModelDeployment")
    assert model.path(namespace="n", name="a", part="status").endswith("/modeldeployments/a/status")
    assert find_resource("Pod").path(namespace="n") == "/api/v1/namespaces/n/pods"
