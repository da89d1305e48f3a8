"""What must hold between fields: every rule once, in Python and in CEL.

`validation` applies them to a resolved spec; `crd` writes them into the CRD, so that an API server
refuses the same documents with nothing of ours running. A rule sees only its own Struct (the root
also the name), which keeps its cost small. Rules over URIs stand in `rules_uri`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from slipway_operator.api import defaults, rules_uri
from slipway_operator.api.base import Rule
from slipway_operator.api.quantity import read_quantity
from slipway_operator.api.spec import (
    Autoscaling,
    AutoscalingTarget,
    Contract,
    ContractRule,
    Dependency,
    Model,
    ModelDeployment,
    ModelDeploymentSpec,
    Resources,
    Traffic,
)
from slipway_operator.api.spec_pod import PodTemplate
from slipway_operator.api.spec_rollout import (
    Analysis,
    ErrorRate,
    Metric,
    PrometheusRate,
    Rollout,
    ShadowStep,
    Step,
    WeightStep,
)
from slipway_operator.api.vocabulary import (
    ContractRuleName,
    DependencyType,
    Format,
    MetricType,
    Policy,
    Runtime,
    StepType,
    Strategy,
)

NAME_LIMIT: Final = 45  # leaves room for `-rHASH10` and the pods' own suffixes within 63 characters
RESERVED_PREFIXES: Final = ("slipway.dev/", "app.kubernetes.io/")
PLAIN_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")

_NAME = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
_PIN = "^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?==[0-9][A-Za-z0-9.+!_]*$"
_CHILD_SUFFIX = "-[rb][0-9a-f]{10}$"
# Nothing else in two braces: it would be asked for as it stands, and found nowhere.
_FILLED = r"^([^{]|[{][^{]|[{][{](revision|namespace|name)[}][}])*$"


def _name_rules() -> Iterable[Rule]:
    yield Rule(
        on=ModelDeployment,
        field="metadata.name",
        reason="NameInvalid",
        message=f"a name takes 1 to {NAME_LIMIT} lower-case letters, digits and dashes, starts "
        "with a letter and ends with a letter or digit; choose a shorter or simpler name",
        cel=f"self.metadata.name.size() <= {NAME_LIMIT} && self.metadata.name.matches('{_NAME}')",
        holds=lambda it: (
            len(it.metadata.name) <= NAME_LIMIT
            and re.fullmatch(_NAME[1:-1], it.metadata.name) is not None
        ),
    )
    yield Rule(
        on=ModelDeployment,
        field="metadata.name",
        reason="NameInvalid",
        message="a name must not end in -r or -b and 10 hexadecimal digits, as the names of "
        "revisions and builds do; choose another ending",
        cel=f"!self.metadata.name.matches('{_CHILD_SUFFIX}')",
        holds=lambda it: re.search(_CHILD_SUFFIX[:-1] + r"\Z", it.metadata.name) is None,
    )


def _spec_rules() -> Iterable[Rule]:
    yield Rule(
        on=ModelDeploymentSpec,
        field="replicas",
        reason="FieldConflict",
        message="replicas is a fixed number and excludes autoscaling; keep one of the two",
        cel="!(has(self.replicas) && has(self.autoscaling))",
        holds=lambda spec: spec.replicas is None or spec.autoscaling is None,
    )
    yield Rule(
        on=Model,
        field="runtime",
        reason="FieldConflict",
        message="an ONNX model has no other original to serve; set runtime to Auto or ONNX",
        cel="!(has(self.format) && self.format == 'ONNX' "
        "&& has(self.runtime) && self.runtime == 'Native')",
        holds=lambda model: not (model.format is Format.ONNX and model.runtime is Runtime.NATIVE),
        beside=("format",),
    )
    yield Rule(
        on=Model,
        field="packages",
        reason="ValueInvalid",
        message="a package is named with its exact version, without extras, markers and addresses; "
        "write NAME==VERSION, for example scikit-learn==1.5.2",
        cel=f"!has(self.packages) || self.packages.all(p, p.matches('{_PIN}'))",
        holds=lambda model: all(re.fullmatch(_PIN, pin) for pin in model.packages),
    )
    yield Rule(
        on=Model,
        field="packages",
        reason="FieldConflict",
        message="an ONNX model needs no packages; take them out or correct format",
        cel="!(has(self.format) && self.format == 'ONNX' && has(self.packages) "
        "&& size(self.packages) > 0)",
        holds=lambda model: not (model.format is Format.ONNX and model.packages),
        beside=("format",),
    )
    yield Rule(
        on=Traffic,
        field="hostnames",
        reason="ValueInvalid",
        message="a host name must not be an address; use DNS names",
        cel="!has(self.hostnames) || self.hostnames.all(h, !h.matches('^[0-9.]+$'))",
        holds=lambda traffic: not any(re.fullmatch("[0-9.]+", h) for h in traffic.hostnames),
    )


def _resource_rules() -> Iterable[Rule]:
    yield from _amount_rules("requests", lambda it: it.requests)
    yield from _amount_rules("limits", lambda it: it.limits)
    yield Rule(
        on=Resources,
        field="requests",
        reason="FieldConflict",
        message="a pod cannot request more than its limit; lower requests or raise limits",
        cel="!has(self.requests) || !has(self.limits) || self.requests.all(k, "
        "!(k in self.limits) || quantity(string(self.requests[k]))"
        ".compareTo(quantity(string(self.limits[k]))) <= 0)",
        holds=lambda it: all(
            name not in it.limits or read_quantity(amount) <= read_quantity(it.limits[name])
            for name, amount in it.requests.items()
        ),
        beside=("limits",),
    )


def _amount_rules(part: str, of: Callable[[Resources], Mapping[str, int | str]]) -> Iterable[Rule]:
    given = f"!has(self.{part}) || self.{part}.all(k, "
    yield Rule(
        on=Resources,
        field=part,
        reason="ValueInvalid",
        message="resources are cpu, memory, ephemeral-storage or a device such as "
        "nvidia.com/gpu; correct the name",
        cel=f"{given}k in {list(PLAIN_RESOURCES)} || k.contains('/'))",
        holds=lambda it: all(name in PLAIN_RESOURCES or "/" in name for name in of(it)),
    )
    yield Rule(
        on=Resources,
        field=part,
        reason="ValueInvalid",
        message="an amount must be more than zero; leave it out or raise it",
        cel=f"{given}quantity(string(self.{part}[k])).compareTo(quantity('0')) > 0)",
        holds=lambda it: all(read_quantity(amount) > 0 for amount in of(it).values()),
    )
    yield Rule(
        on=Resources,
        field=part,
        reason="ValueInvalid",
        message="m means thousandths, so memory in m is less than a byte; write Mi for mebibytes",
        cel=f"{given}k == 'cpu' || !string(self.{part}[k]).endsWith('m'))",
        holds=lambda it: all(
            name == "cpu" or not str(amount).endswith("m") for name, amount in of(it).items()
        ),
    )


def _pod_rules() -> Iterable[Rule]:
    yield _prefix_rule("labels", lambda pod: pod.labels or {})
    yield _prefix_rule("annotations", lambda pod: pod.annotations or {})


def _prefix_rule(part: str, of: Callable[[PodTemplate], Mapping[str, str]]) -> Rule:
    return Rule(
        on=PodTemplate,
        field=part,
        reason="ValueInvalid",
        message=f"the prefixes {' and '.join(RESERVED_PREFIXES)} are Slipway's own; "
        "use another prefix",
        cel=f"!has(self.{part}) || self.{part}.all(k, "
        + " && ".join(f"!k.startsWith('{prefix}')" for prefix in RESERVED_PREFIXES)
        + ")",
        holds=lambda pod: not any(key.startswith(RESERVED_PREFIXES) for key in of(pod)),
    )


def _contract_rules() -> Iterable[Rule]:
    yield Rule(
        on=ContractRule,
        field="value",
        reason="FieldConflict",
        message="value belongs to onViolation Default and to no other policy; "
        "add it there, or take it out here",
        cel="(self.onViolation == 'Default') == has(self.value)",
        holds=lambda rule: (rule.on_violation is Policy.DEFAULT) == (rule.value is not None),
        beside=("onViolation",),
    )
    yield Rule(
        on=ContractRule,
        field="onViolation",
        reason="FieldConflict",
        message="a column that the model does not have cannot take a default; use Reject or Warn",
        cel="!(self.rule == 'ExtraColumn' && self.onViolation == 'Default')",
        holds=lambda rule: (
            not (rule.rule is ContractRuleName.EXTRA_COLUMN and rule.on_violation is Policy.DEFAULT)
        ),
    )
    yield Rule(
        on=Contract,
        field="onViolation",
        reason="FieldConflict",
        message="Default needs a value for each column; state it in contract.rules and use "
        "Reject or Warn here",
        cel="!has(self.onViolation) || self.onViolation != 'Default'",
        holds=lambda contract: contract.on_violation is not Policy.DEFAULT,
    )


def _autoscaling_rules() -> Iterable[Rule]:
    targets = ("concurrency", "requestsPerSecond", "cpuUtilizationPercent", "queueDepth")
    yield Rule(
        on=Autoscaling,
        field="minReplicas",
        reason="FieldConflict",
        message="minReplicas must not be more than maxReplicas "
        f"(absent: {defaults.MIN_REPLICAS} and {defaults.MAX_REPLICAS}); lower one or raise the "
        "other",
        cel=f"(has(self.minReplicas) ? self.minReplicas : {defaults.MIN_REPLICAS}) <= "
        f"(has(self.maxReplicas) ? self.maxReplicas : {defaults.MAX_REPLICAS})",
        holds=lambda it: it.min_replicas <= it.max_replicas,
        beside=("maxReplicas",),
    )
    yield Rule(
        on=AutoscalingTarget,
        field="",
        reason="FieldConflict",
        message=f"a target is exactly one of {', '.join(targets)}; keep one",
        cel=f"[{', '.join(f'has(self.{name})' for name in targets)}].filter(x, x).size() == 1",
        holds=lambda it: (
            [
                it.concurrency,
                it.requests_per_second,
                it.cpu_utilization_percent,
                it.queue_depth,
            ].count(None)
            == len(targets) - 1
        ),
    )


def _union_rule(on: type, members: dict[str, str]) -> Rule:
    """Exactly the member that `type` names: `members` gives the JSON name of each type's member."""
    fields = [
        (word, name, re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name))
        for word, name in members.items()
    ]
    return Rule(
        on=on,
        field="type",
        reason="FieldConflict",
        message="type needs exactly the member of its name beside it ("
        + ", ".join(f"{word}: {name}" for word, name in members.items())
        + "); add that one and take the others out",
        cel=" && ".join(
            f"(self.type == '{word}') == has(self.{name})" for word, name in members.items()
        ),
        holds=lambda it: all(
            (it.type == word) == (getattr(it, attribute) is not None)
            for word, _, attribute in fields
        ),
    )


def _step_rules() -> Iterable[Rule]:
    for on in (WeightStep, ShadowStep):
        yield Rule(
            on=on,
            field="percent",
            reason="ValueInvalid",
            message="a share starts at 0.01 %; raise it or take the step out",
            cel="type(self.percent) == int || double(self.percent) >= 0.01",
            holds=lambda step: Decimal(step.percent) >= Decimal("0.01"),
        )
        yield Rule(
            on=on,
            field="minSeconds",
            reason="FieldConflict",
            message="minSeconds must not be more than maxSeconds "
            f"(absent: {defaults.STEP_MIN_SECONDS} and {defaults.STEP_MAX_SECONDS})",
            cel=f"(has(self.minSeconds) ? self.minSeconds : {defaults.STEP_MIN_SECONDS}) <= "
            f"(has(self.maxSeconds) ? self.maxSeconds : {defaults.STEP_MAX_SECONDS})",
            holds=lambda step: step.min_seconds <= step.max_seconds,
            beside=("maxSeconds",),
        )
    yield _union_rule(Step, {StepType.WEIGHT: "weight", StepType.SHADOW: "shadow"})
    yield Rule(
        on=Rollout,
        field="steps",
        reason="FieldConflict",
        message="steps belong to the strategies Canary and Shadow; change the strategy or take "
        "the steps out",
        cel="!has(self.steps) || self.steps.size() == 0 || "
        f"(has(self.strategy) ? self.strategy : '{defaults.STRATEGY}') in ['Canary', 'Shadow']",
        holds=lambda it: (
            not it.steps or it.strategy not in (Strategy.IMMEDIATE, Strategy.BLUE_GREEN)
        ),
    )


def _analysis_rules() -> Iterable[Rule]:
    for name, attribute in (("falseAbort", "false_abort"), ("falsePass", "false_pass")):
        yield Rule(
            on=Analysis,
            field=name,
            reason="ValueInvalid",
            message='a bound of 0 or 1 decides nothing; choose one between, such as "0.01"',
            cel=f"!has(self.{name}) || (double(self.{name}) > 0.0 && double(self.{name}) < 1.0)",
            holds=_between_zero_and_one(attribute),
        )
    yield Rule(
        on=ErrorRate,
        field="tolerated",
        reason="FieldConflict",
        message="tolerated must not be more than ceiling; lower it or raise the ceiling",
        cel="!has(self.ceiling) || double(self.tolerated) <= double(self.ceiling)",
        holds=lambda it: it.ceiling is None or Decimal(it.tolerated) <= Decimal(it.ceiling),
        beside=("ceiling",),
    )
    for name in ("good", "total"):
        yield from _query_rules(name)
    yield _union_rule(Metric, {word: word[0].lower() + word[1:] for word in MetricType})
    yield _union_rule(Dependency, {DependencyType.SQL: "sql"})


def _query_rules(name: str) -> Iterable[Rule]:
    yield Rule(
        on=PrometheusRate,
        field=name,
        reason="ValueInvalid",
        message="without {{revision}} both revisions would count the same; write it where the "
        'query names the revision, such as {revision="{{revision}}"}',
        cel=f"self.{name}.contains('{{{{revision}}}}')",
        holds=lambda it: "{{revision}}" in getattr(it, name),
    )
    yield Rule(
        on=PrometheusRate,
        field=name,
        reason="ValueInvalid",
        message="only {{revision}}, {{namespace}} and {{name}} are filled in; correct what else "
        "stands in two braces",
        cel=f"self.{name}.matches('{_FILLED}')",
        holds=lambda it: re.fullmatch(_FILLED[1:-1], getattr(it, name)) is not None,
    )


def _between_zero_and_one(attribute: str) -> Callable[[Any], bool]:
    return lambda it: 0 < Decimal(getattr(it, attribute)) < 1


RULES: Final = (
    *_name_rules(),
    *_spec_rules(),
    *rules_uri.uri_rules(),
    *_resource_rules(),
    *_pod_rules(),
    *_contract_rules(),
    *_autoscaling_rules(),
    *_step_rules(),
    *_analysis_rules(),
)


def rules_by_struct() -> dict[type, tuple[Rule, ...]]:
    """The rules of each Struct, in the order above."""
    return {on: tuple(r for r in RULES if r.on is on) for on in dict.fromkeys(r.on for r in RULES)}
