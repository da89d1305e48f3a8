"""Rules over how a new revision takes over: its steps, and what it is judged by."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from slipway_operator.api import defaults
from slipway_operator.api.base import Rule, union_rule
from slipway_operator.api.spec_rollout import (
    NO_ANALYSIS,
    NO_WARM_UP,
    Analysis,
    ErrorRate,
    Metric,
    PrometheusRate,
    Rollout,
    ShadowStep,
    Step,
    WeightStep,
)
from slipway_operator.api.vocabulary import MetricSource, MetricType, StepType, Strategy

# Nothing else in two braces: it would be asked for as it stands, and found nowhere.
_FILLED: Final = r"^([^{]|[{][^{]|[{][{](revision|namespace|name)[}][}])*$"
_HAS_SHADOW: Final = (
    "(has(self.steps) && self.steps.size() > 0 ? self.steps.exists(s, s.type == 'Shadow') "
    ": has(self.strategy) && self.strategy == 'Shadow')"
)


def rollout_rules() -> Iterable[Rule]:
    """Rules over the rollout, its steps and metrics."""
    yield from _step_rules()
    yield from _evidence_rules()
    yield from _analysis_rules()


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
    yield union_rule(Step, {StepType.WEIGHT: "weight", StepType.SHADOW: "shadow"})
    yield Rule(
        on=Rollout,
        field="steps",
        reason="FieldConflict",
        message="Immediate has no steps; change the strategy or take the steps out",
        cel="!has(self.steps) || self.steps.size() == 0 || "
        f"(has(self.strategy) ? self.strategy : '{defaults.STRATEGY}') != 'Immediate'",
        holds=lambda it: not it.steps or it.strategy is not Strategy.IMMEDIATE,
    )
    yield Rule(
        on=Rollout,
        field="steps",
        reason="FieldConflict",
        message="BlueGreen moves all requests at once, after its steps; take the Weight steps out "
        "or use Canary",
        cel="!has(self.steps) || !has(self.strategy) || self.strategy != 'BlueGreen' || "
        "!self.steps.exists(s, s.type == 'Weight')",
        holds=lambda it: (
            it.strategy is not Strategy.BLUE_GREEN
            or all(step.type is not StepType.WEIGHT for step in it.steps)
        ),
    )
    yield Rule(
        on=Rollout,
        field="steps",
        reason="FieldConflict",
        message="Shadow steps come before the first Weight step: what answers users is compared by "
        "its answers; move them up",
        # Of truth values, for a server reckons with words of any length.
        cel="!has(self.steps) || !self.steps.exists(s, has(s.weight)) || "
        "self.steps.map(s, has(s.shadow)).lastIndexOf(true) < "
        "self.steps.map(s, has(s.weight)).indexOf(true)",
        holds=_shadows_come_first,
    )


def _shadows_come_first(rollout: Any) -> bool:
    weights = [index for index, step in enumerate(rollout.steps) if step.weight is not None]
    shadows = [index for index, step in enumerate(rollout.steps) if step.shadow is not None]
    return not weights or max(shadows, default=-1) < min(weights)


def _has_shadow(rollout: Any) -> bool:
    if not rollout.steps:
        return bool(rollout.strategy is Strategy.SHADOW)
    return any(step.type is StepType.SHADOW for step in rollout.steps)


def _evidence_rules() -> Iterable[Rule]:
    """What judges a new revision has no effect where all requests move to it at once."""
    for name, attribute, absent in (
        ("analysis", "analysis", NO_ANALYSIS),
        ("warmUp", "warm_up", NO_WARM_UP),
    ):
        yield Rule(
            on=Rollout,
            field=name,
            reason="FieldConflict",
            message="with the strategy Immediate nothing is judged, so it would have no effect; "
            f"set strategy to Canary or take {name} out",
            cel=f"!has(self.{name}) || "
            f"(has(self.strategy) ? self.strategy : '{defaults.STRATEGY}') != 'Immediate'",
            holds=_is_judged_or_absent(attribute, absent),
        )


def _is_judged_or_absent(attribute: str, absent: object) -> Callable[[Any], bool]:
    return lambda it: it.strategy is not Strategy.IMMEDIATE or getattr(it, attribute) is absent


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
    yield Rule(
        on=Rollout,
        field="analysis.metrics",
        reason="FieldConflict",
        message="Agreement compares the answers to copied requests; put a Shadow step into steps "
        "or take the metric out",
        cel="!has(self.analysis) || !has(self.analysis.metrics) || "
        f"!self.analysis.metrics.exists(m, m.type == 'Agreement') || {_HAS_SHADOW}",
        holds=lambda it: (
            all(metric.type is not MetricType.AGREEMENT for metric in it.analysis.metrics)
            or _has_shadow(it)
        ),
    )
    for name in ("good", "total"):
        yield from _query_rules(name)
    yield Rule(
        on=Rollout,
        field="analysis.source",
        reason="FieldConflict",
        message="copies of requests are told by the pods alone; set source to Pods, or take the "
        "Shadow steps out",
        cel="!has(self.analysis) || !has(self.analysis.source) || "
        f"self.analysis.source != 'Prometheus' || !{_HAS_SHADOW}",
        holds=lambda it: it.analysis.source is not MetricSource.PROMETHEUS or not _has_shadow(it),
    )
    yield union_rule(Metric, {word: word[0].lower() + word[1:] for word in MetricType})


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
