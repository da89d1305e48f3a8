"""The part of a pod that a user may shape: a closed list, passed to Kubernetes as it stands.

It replaces what the operator would write and never merges. Names and meanings are Kubernetes' own
(`kubectl explain pod.spec`); absent members stay absent in the JSON.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from slipway_operator.api.base import doc
from slipway_operator.api.vocabulary import (
    AnnotationValue,
    Key,
    LabelValue,
    ObjectName,
)

Labels = Annotated[dict[Key, LabelValue], Meta(max_length=32)]
Terms = Meta(max_length=8)


class Pod(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Base of every Struct here: what is absent stays absent."""


class SelectorOperator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


class LabelOperator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class TolerationOperator(StrEnum):
    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class WhenUnsatisfiable(StrEnum):
    DO_NOT_SCHEDULE = "DoNotSchedule"
    SCHEDULE_ANYWAY = "ScheduleAnyway"


class Inclusion(StrEnum):
    HONOR = "Honor"
    IGNORE = "Ignore"


class LocalObject(Pod, frozen=True, kw_only=True):
    name: Annotated[ObjectName, doc("Name of the object, in the same namespace.")]


class Toleration(Pod, frozen=True, kw_only=True):
    key: Annotated[Key | None, doc("Taint key; absent with operator Exists means every taint.")] = (
        None
    )
    operator: Annotated[TolerationOperator | None, doc("How key and value are compared.")] = None
    value: Annotated[LabelValue | None, doc("Taint value, with operator Equal.")] = None
    effect: Annotated[TaintEffect | None, doc("Taint effect; absent means all.")] = None
    toleration_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=2**31 - 1)] | None,
        doc("How long a NoExecute taint is tolerated, in seconds."),
    ] = None


class NodeRequirement(Pod, frozen=True, kw_only=True):
    key: Annotated[Key, doc("Node label.")]
    operator: Annotated[SelectorOperator, doc("How the label is compared with the values.")]
    values: Annotated[
        Annotated[tuple[LabelValue, ...], Meta(max_length=32)] | None,
        doc("Values to compare with."),
    ] = None


class NodeTerm(Pod, frozen=True, kw_only=True):
    match_expressions: Annotated[
        Annotated[tuple[NodeRequirement, ...], Terms] | None,
        doc("Requirements on node labels."),
    ] = None
    match_fields: Annotated[
        Annotated[tuple[NodeRequirement, ...], Terms] | None,
        doc("Requirements on node fields."),
    ] = None


class NodeSelector(Pod, frozen=True, kw_only=True):
    node_selector_terms: Annotated[
        tuple[NodeTerm, ...],
        Meta(min_length=1, max_length=8, description="One of these terms must hold."),
    ]


class PreferredNode(Pod, frozen=True, kw_only=True):
    weight: Annotated[int, Meta(ge=1, le=100, description="Weight of this preference.")]
    preference: Annotated[NodeTerm, doc("The term that earns the weight.")]


class NodeAffinity(Pod, frozen=True, kw_only=True):
    required_during_scheduling_ignored_during_execution: Annotated[
        NodeSelector | None, doc("Nodes that a pod may run on.")
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        Annotated[tuple[PreferredNode, ...], Terms] | None,
        doc("Nodes that are preferred."),
    ] = None


class LabelRequirement(Pod, frozen=True, kw_only=True):
    key: Annotated[Key, doc("Label key.")]
    operator: Annotated[LabelOperator, doc("How the label is compared with the values.")]
    values: Annotated[
        Annotated[tuple[LabelValue, ...], Meta(max_length=32)] | None,
        doc("Values to compare with."),
    ] = None


class LabelSelector(Pod, frozen=True, kw_only=True):
    match_labels: Annotated[Labels | None, doc("Labels that must all be present.")] = None
    match_expressions: Annotated[
        Annotated[tuple[LabelRequirement, ...], Terms] | None,
        doc("Requirements on labels."),
    ] = None


class PodTerm(Pod, frozen=True, kw_only=True):
    topology_key: Annotated[Key, doc("Node label that defines the topology domain.")]
    label_selector: Annotated[LabelSelector | None, doc("Which pods are meant.")] = None
    namespace_selector: Annotated[LabelSelector | None, doc("In which namespaces, by label.")] = (
        None
    )
    namespaces: Annotated[
        Annotated[tuple[ObjectName, ...], Terms] | None,
        doc("In which namespaces, by name."),
    ] = None


class WeightedPodTerm(Pod, frozen=True, kw_only=True):
    weight: Annotated[int, Meta(ge=1, le=100, description="Weight of this preference.")]
    pod_affinity_term: Annotated[PodTerm, doc("The term that earns the weight.")]


class PodAffinity(Pod, frozen=True, kw_only=True):
    required_during_scheduling_ignored_during_execution: Annotated[
        Annotated[tuple[PodTerm, ...], Terms] | None, doc("Terms that must all hold.")
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        Annotated[tuple[WeightedPodTerm, ...], Terms] | None,
        doc("Terms that are preferred."),
    ] = None


class Affinity(Pod, frozen=True, kw_only=True):
    node_affinity: Annotated[NodeAffinity | None, doc("Which nodes.")] = None
    pod_affinity: Annotated[PodAffinity | None, doc("Near which pods.")] = None
    pod_anti_affinity: Annotated[PodAffinity | None, doc("Away from which pods.")] = None


class TopologySpread(Pod, frozen=True, kw_only=True):
    max_skew: Annotated[int, Meta(ge=1, le=1000, description="How uneven the spread may be.")]
    topology_key: Annotated[Key, doc("Node label that defines the topology domain.")]
    when_unsatisfiable: Annotated[WhenUnsatisfiable, doc("What to do when the spread cannot hold.")]
    label_selector: Annotated[LabelSelector | None, doc("Which pods are counted.")] = None
    min_domains: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None, doc("Least number of domains.")
    ] = None
    match_label_keys: Annotated[
        Annotated[tuple[Key, ...], Terms] | None,
        doc("Pod labels whose values select the pods counted."),
    ] = None
    node_affinity_policy: Annotated[
        Inclusion | None, doc("Whether node affinity narrows domains.")
    ] = None
    node_taints_policy: Annotated[Inclusion | None, doc("Whether taints narrow domains.")] = None


class PodTemplate(Pod, frozen=True, kw_only=True):
    labels: Annotated[
        Labels | None, doc("More labels on the pods. Reserved prefixes are refused.")
    ] = None
    annotations: Annotated[
        Annotated[dict[Key, AnnotationValue], Meta(max_length=32)] | None,
        doc("More annotations on the pods. Reserved prefixes are refused."),
    ] = None
    node_selector: Annotated[Labels | None, doc("Labels a node must have.")] = None
    tolerations: Annotated[
        Annotated[tuple[Toleration, ...], Meta(max_length=16)] | None,
        doc("Taints that are tolerated."),
    ] = None
    affinity: Annotated[Affinity | None, doc("Where pods may and should run.")] = None
    topology_spread_constraints: Annotated[
        Annotated[tuple[TopologySpread, ...], Terms] | None,
        doc("How pods spread over the nodes."),
    ] = None
    priority_class_name: Annotated[ObjectName | None, doc("PriorityClass of the pods.")] = None
    runtime_class_name: Annotated[ObjectName | None, doc("RuntimeClass of the pods.")] = None
    image_pull_secrets: Annotated[
        Annotated[tuple[LocalObject, ...], Terms] | None,
        doc("Secrets for the serving image's registry."),
    ] = None
    service_account_name: Annotated[
        ObjectName | None,
        doc("ServiceAccount of the serving pods, instead of the operator's own."),
    ] = None
