"""Reasons of serving, traffic, rollouts and scaling: rows of the catalogue (see `reasons`)."""

from typing import Final

# name, event type, template, what the user should do
SERVING_ROWS: Final = (
    ("Serving", "Normal", "Revision {revision} answers with {ready} of {desired} pods.", ""),
    ("Starting", "Normal", "Revision {revision} is starting: {ready} of {desired} pods.", ""),
    ("UpToDate", "Normal", "Revision {revision} is what the spec asks for.", ""),
    ("Progressing", "Normal", "{detail}", ""),
    ("NothingToDo", "Normal", "Everything is as it should be.", ""),
    (
        "NoRevision",
        "Warning",
        "No revision has answered yet.",
        "Look at ModelReady for the build's state.",
    ),
    ("ScaledToZero", "Normal", "There are 0 pods, as the spec asks.", "Raise spec.replicas."),
    (
        "RevisionUnhealthy",
        "Warning",
        "Revision {revision} did not become ready: {detail}",
        "Look at `slipway logs`; the old revision keeps answering until the spec is changed.",
    ),
    (
        "ReplicasUnavailable",
        "Warning",
        "Revision {revision} has {ready} of {desired} pods ready: {detail}",
        "Look at `slipway logs` and `slipway describe` for what the pods say.",
    ),
    (
        "Unschedulable",
        "Warning",
        "No node can take a pod of revision {revision}: {detail}",
        "Ask for less in spec.serving.resources, or add a node.",
    ),
    (
        "QuotaExceeded",
        "Warning",
        "{detail}",
        "Free some of the namespace's quota, or ask for a larger one.",
    ),
    (
        "PodRejected",
        "Warning",
        "{detail}",
        "Change spec.serving.podTemplate or spec.serving.resources as the message says.",
    ),
    (
        "ImagePullFailed",
        "Warning",
        "{detail}",
        "Check the serving image of the installation and spec.serving.podTemplate.imagePullSecrets.",
    ),
    (
        "CrashLoop",
        "Warning",
        "A pod of revision {revision} ended {restarts} times: {detail}",
        "Look at `slipway logs`.",
    ),
    ("Programmed", "Normal", "The gateway sends requests to revision {revision}.", ""),
    ("RoutePending", "Normal", "The gateway has not yet taken the route: {detail}", ""),
    (
        "RouteNotAccepted",
        "Warning",
        "The gateway refused the route: {detail}",
        "Check spec.traffic and the Gateway that it names.",
    ),
    (
        "RouteConflict",
        "Warning",
        'Host "{host}" belongs to {owner}, which is older.',
        "Choose another host name in spec.traffic.hostnames.",
    ),
    (
        "GatewayNotFound",
        "Warning",
        'Gateway "{gateway}" in namespace "{namespace}" does not exist.',
        "Correct spec.traffic.gateway, or create the Gateway.",
    ),
    (
        "CapabilityMissing",
        "Warning",
        "The gateway cannot do what {path} asks: {detail}",
        "Take the field out, or use a gateway that can.",
    ),
    (
        "PortUnavailable",
        "Warning",
        "{detail}",
        "End the program that uses the port, then apply again.",
    ),
    (
        "NameConflict",
        "Warning",
        '{kind} "{object}" exists and was not made by Slipway for this ModelDeployment.',
        "Delete or rename that object, or choose another name.",
    ),
    ("Suspended", "Normal", "{detail}", ""),
    ("Deleting", "Normal", "The ModelDeployment is being deleted.", ""),
    (
        "OperatorForbidden",
        "Warning",
        "The operator may not {verb} {resource}.",
        "Ask the administrator to install the chart's roles again.",
    ),
    (
        "CRDOutdated",
        "Warning",
        "The installed CRD is not the one of this version.",
        "Ask the administrator to upgrade the chart with its CRDs.",
    ),
    (
        "UnsupportedVersion",
        "Warning",
        "{detail}",
        "Upgrade the operator, or take the newer fields out.",
    ),
    (
        "RuntimeOutdated",
        "Normal",
        "Revision {revision} runs an older serving image.",
        "Nothing: the next revision takes the new one.",
    ),
)

ROLLOUT_ROWS: Final = (
    ("CanaryRunning", "Normal", "Revision {revision} gets {percent} % of the requests.", ""),
    ("Promoted", "Normal", "Revision {revision} answers all requests.", ""),
    ("Superseded", "Normal", "Revision {revision} gave way to {newer}.", ""),
    ("Paused", "Normal", "The rollout of revision {revision} is paused.", "`slipway resume`."),
    (
        "Held",
        "Warning",
        "The rollout of revision {revision} is held: {detail}",
        "Nothing: it goes on when the metrics come back; `slipway abort` ends it.",
    ),
    ("AnalysisPassed", "Normal", "{metric}: {comparison}.", ""),
    (
        "AnalysisFailed",
        "Warning",
        "{metric}: {comparison}.",
        "The stable revision answers again; see `slipway describe` for the evidence.",
    ),
    (
        "AnalysisInconclusive",
        "Warning",
        "{metric}: {comparison}, too little to decide.",
        "`slipway promote` or `slipway abort`, or wait for more requests.",
    ),
    (
        "TrafficSplitMismatch",
        "Warning",
        "The new revision got {observed} % of the requests where {desired} % were asked for.",
        "Check that all requests come through the gateway.",
    ),
    (
        "RolledBack",
        "Warning",
        "Revision {revision} answers again: {detail}",
        "Mend the model or the spec and apply again.",
    ),
    (
        "RevisionRejected",
        "Warning",
        "Model {digest} was rolled back before and is not tried again.",
        "Use another model, or `slipway retry`.",
    ),
    ("MetricsRead", "Normal", "Metrics of all pods are read.", ""),
    (
        "MetricsUnavailable",
        "Warning",
        "Metrics cannot be read: {detail}",
        "Check that the operator reaches the pods' metrics port.",
    ),
    ("ReplicasFixed", "Normal", "The number of pods is fixed at {replicas}.", ""),
    ("Scaling", "Normal", "From {old} to {new} pods: {detail}", ""),
    (
        "AutoscalingMetricsUnavailable",
        "Warning",
        "The autoscaler has no data and keeps {replicas} pods: {detail}",
        "Check the metrics source that spec.autoscaling uses.",
    ),
)
