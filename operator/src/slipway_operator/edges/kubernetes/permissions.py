"""Every verb that the operator uses, as one table: the chart's roles are rendered from it.

Nothing is listed or watched of Secrets: they are asked for by name. `check_permissions` asks
the API server for each at start, so that a missing one is a log line and not a hang.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from slipway_operator.edges.kubernetes.resources import (
    CHILDREN,
    DEFINITION,
    EVENT,
    LEASE,
    MODEL,
    NAMESPACE,
    POD,
    SECRET,
    Resource,
)
from slipway_operator.settings import RegistryCredentials
from slipway_operator.state.identity import PASSING_KINDS


class Scope(StrEnum):
    """Where a permission is needed."""

    MODELS = "Models"  # in every namespace whose models are kept
    OWN = "Own"  # in the operator's own namespace
    CLUSTER = "Cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Verbs on one resource (or its subresource `part`).

    `only_with`: needed only where the installation has these registry credentials.
    """

    resource: Resource
    verbs: tuple[str, ...]
    scope: Scope
    part: str | None = None
    only_with: RegistryCredentials | None = None
    names: tuple[str, ...] = ()

    @property
    def plural(self) -> str:
        """As a role spells it: `PLURAL` or `PLURAL/PART`."""
        return self.resource.plural if self.part is None else f"{self.resource.plural}/{self.part}"


def _list_removal(child: Resource) -> tuple[str, ...]:
    """What lives as long as its model is never deleted, but collected with it."""
    return ("delete",) if child.kind in PASSING_KINDS else ()


_WATCH: Final = ("list", "watch")
PERMISSIONS: Final = (
    Permission(resource=MODEL, verbs=("get", *_WATCH), scope=Scope.MODELS),
    Permission(resource=MODEL, part="status", verbs=("update",), scope=Scope.MODELS),
    # needed to be named as the owner that blocks (OwnerReferencesPermissionEnforcement)
    Permission(resource=MODEL, part="finalizers", verbs=("update",), scope=Scope.MODELS),
    *(
        Permission(
            resource=child,
            verbs=("get", *_WATCH, "create", "patch", *_list_removal(child)),
            scope=Scope.MODELS,
        )
        for child in CHILDREN
    ),
    Permission(resource=POD, verbs=_WATCH, scope=Scope.MODELS),
    # whether it exists; and to make the one of traffic.revisionOverride
    Permission(resource=SECRET, verbs=("get", "create"), scope=Scope.MODELS),
    # which host names it allows
    Permission(resource=NAMESPACE, verbs=("get",), scope=Scope.MODELS),
    Permission(
        resource=SECRET,
        verbs=("patch",),
        scope=Scope.MODELS,
        only_with=RegistryCredentials.EMBEDDED,
    ),
    Permission(resource=EVENT, verbs=("get", "list", "create", "patch"), scope=Scope.MODELS),
    Permission(resource=LEASE, verbs=("get", "create", "update"), scope=Scope.OWN),
    Permission(
        resource=DEFINITION,
        verbs=("get",),
        scope=Scope.CLUSTER,
        names=(f"{MODEL.plural}.{MODEL.group}",),
    ),
)


def list_permissions(credentials: RegistryCredentials) -> tuple[Permission, ...]:
    """Those that an installation with these registry credentials needs."""
    return tuple(one for one in PERMISSIONS if one.only_with in (None, credentials))


def render_rules(
    scope: Scope, *, credentials: RegistryCredentials = RegistryCredentials.NONE
) -> list[dict[str, list[str]]]:
    """The rules of the role for one scope, as RBAC writes them; the chart's are tested equal."""
    return [
        {
            "apiGroups": [permission.resource.group],
            "resources": [permission.plural],
            **({"resourceNames": list(permission.names)} if permission.names else {}),
            "verbs": sorted(permission.verbs),
        }
        for permission in list_permissions(credentials)
        if permission.scope is scope
    ]
