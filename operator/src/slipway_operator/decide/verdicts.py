"""The conditions: what is true of a ModelDeployment now, with the deepest cause as the reason of
Ready."""

from dataclasses import dataclass
from typing import Final

from slipway_operator.api.conditions import ConditionStatus, ConditionType, Verdict
from slipway_operator.api.reasons import REASONS, say
from slipway_operator.api.status import Report
from slipway_operator.decide.analysis.assessment import Assessment
from slipway_operator.decide.build import BuildDecision, BuildPhase
from slipway_operator.decide.health import Health, Level
from slipway_operator.state.slots import RouteState

SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reason of the catalogue and its sentence. `final`: nothing heals it but a change by
    somebody."""

    reason: str
    message: str
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the decisions found. `answering` is the health of the revision that has the traffic;
    None: there is none. `asked` is that of the revision asked for; None: it is not built. `hosts`:
    why a host name is left out of the route. `refused`: why what is asked for is not tried (again).
    `rollout`: where it stands on its way. `evidence`: what the metrics say; None: nothing is
    judged."""

    blocked: Finding | None
    build: BuildDecision | None
    asked: Health | None
    answering: Health | None
    answering_revision: str | None
    asked_revision: str | None
    route: RouteState | None
    hosts: Finding | None
    stable_is_asked: bool
    arrived: bool
    runtime_outdated: bool
    refused: Finding | None = None
    rollout: Finding | None = None
    evidence: Assessment | None = None


def decide_verdicts(situation: Situation) -> tuple[Verdict, ...]:
    """Every condition that can be stated."""
    problem = find_problem(situation)
    progress = None if problem and problem.final else find_progress(situation)
    # What fails or is under way is told first: a host that is left out hinders neither.
    if problem is None and progress is None:
        problem = situation.hosts
    return (
        _decide_ready(situation, problem=problem, progress=progress),
        decide_available(situation.answering),
        _decide_up_to_date(situation, problem=problem, progress=progress),
        *_decide_model_ready(situation.build),
        _decide_traffic(situation),
        *_decide_analysis(situation),
        *decide_kstatus(problem=problem, progress=progress),
    )


def find_problem(situation: Situation) -> Finding | None:
    """The deepest thing that keeps this generation from serving; None: nothing failed."""
    # Nothing else can go on while a name is taken.
    if situation.blocked is not None:
        return situation.blocked
    build = situation.build
    if build is not None and build.phase is BuildPhase.NEEDS_SECRET:
        return Finding(reason="SecretNotFound", message=build.detail)
    if build is not None and build.failure is not None:
        return Finding(
            reason=build.failure.reason,
            message=build.detail,
            final=build.phase is BuildPhase.FAILED,
        )
    if situation.refused is not None:
        return situation.refused
    asked = situation.asked
    if asked is not None and asked.level is Level.FAILING:
        return Finding(reason=asked.reason, message=asked.message, final=asked.overdue)
    # Pods are there, but not all of them, for longer than they may take.
    if asked is not None and asked.overdue and not situation.stable_is_asked:
        message = f"{asked.message} The others did not become ready in time."
        return Finding(reason="ReplicasUnavailable", message=message, final=True)
    route = situation.route
    if route is not None and route.trouble is not None:
        reason, words = route.trouble
        if reason in REASONS:
            return Finding(reason=reason, message=words)
        return Finding(reason="RouteNotAccepted", message=say("RouteNotAccepted", detail=words))
    return None


def find_progress(situation: Situation) -> Finding | None:
    """What is under way; None: everything asked for is there."""
    build = situation.build
    if build is not None and build.phase is not BuildPhase.DONE:
        return Finding(reason=_name_progress(build), message=build.detail)
    asked = situation.asked
    if asked is not None and asked.level is not Level.READY:
        return Finding(reason="Starting", message=asked.message)
    if situation.rollout is not None:
        return situation.rollout
    if not situation.arrived:
        return Finding(
            reason="RoutePending",
            message=say("RoutePending", detail="it was changed and is not yet confirmed."),
        )
    return None


def _name_progress(build: BuildDecision) -> str:
    return "BuildQueued" if build.phase is BuildPhase.QUEUED else "Building"


def decide_available(answering: Health | None) -> Verdict:
    """Available: the revision that has the traffic answers."""
    if answering is None:
        return _state(
            ConditionType.AVAILABLE, ConditionStatus.FALSE, "NoRevision", say("NoRevision")
        )
    status = ConditionStatus.TRUE if answering.answers else ConditionStatus.FALSE
    return _state(ConditionType.AVAILABLE, status, answering.reason, answering.message)


def decide_kstatus(*, problem: Finding | None, progress: Finding | None) -> tuple[Verdict, Verdict]:
    """Reconciling and Stalled, as kstatus has them: at most one of them is True."""
    if problem is not None and problem.final:
        return (
            _state(
                ConditionType.RECONCILING, ConditionStatus.FALSE, problem.reason, problem.message
            ),
            _state(ConditionType.STALLED, ConditionStatus.TRUE, problem.reason, problem.message),
        )
    going_on = problem or progress
    idle = Finding(reason="NothingToDo", message=say("NothingToDo"))
    return (
        _state(
            ConditionType.RECONCILING,
            ConditionStatus.TRUE if going_on else ConditionStatus.FALSE,
            (going_on or idle).reason,
            (going_on or idle).message,
        ),
        _state(
            ConditionType.STALLED,
            ConditionStatus.FALSE,
            "Progressing" if going_on else idle.reason,
            say("Progressing", detail=going_on.message) if going_on else idle.message,
        ),
    )


def _decide_ready(
    situation: Situation, *, problem: Finding | None, progress: Finding | None
) -> Verdict:
    if problem is not None:
        return _state(ConditionType.READY, ConditionStatus.FALSE, problem.reason, problem.message)
    answering = situation.answering
    # Nothing answers yet: what is under way says why.
    if answering is None or not answering.answers:
        cause = answering if answering is not None and progress is None else progress
        cause = cause or Finding(reason="NoRevision", message=say("NoRevision"))
        return _state(ConditionType.READY, ConditionStatus.FALSE, cause.reason, cause.message)
    if situation.hosts is not None:
        hosts = situation.hosts
        return _state(ConditionType.READY, ConditionStatus.FALSE, hosts.reason, hosts.message)
    if progress is not None:
        return _state(ConditionType.READY, ConditionStatus.TRUE, progress.reason, progress.message)
    return _state(ConditionType.READY, ConditionStatus.TRUE, answering.reason, answering.message)


def _decide_up_to_date(
    situation: Situation, *, problem: Finding | None, progress: Finding | None
) -> Verdict:
    revision = (situation.asked_revision or "")[:SHOWN]
    # A refused or half-done route of this generation is not what was asked for; ill pods are.
    unhindered = situation.blocked is None and situation.hosts is None
    if situation.stable_is_asked and situation.arrived and unhindered:
        reason = "RuntimeOutdated" if situation.runtime_outdated else "UpToDate"
        message = say(reason, revision=revision)
        return _state(ConditionType.UP_TO_DATE, ConditionStatus.TRUE, reason, message)
    cause = problem or progress or Finding(reason="Progressing", message="The route is on its way.")
    return _state(ConditionType.UP_TO_DATE, ConditionStatus.FALSE, cause.reason, cause.message)


def _decide_model_ready(build: BuildDecision | None) -> tuple[Verdict, ...]:
    if build is None:
        return ()
    if build.phase is BuildPhase.NEEDS_SECRET:
        verdict = ConditionStatus.FALSE, "SecretNotFound", build.detail
    elif build.failure is not None:
        verdict = ConditionStatus.FALSE, build.failure.reason, build.detail
    elif build.result is not None:
        reason, message = _name_result(build.result.report)
        verdict = ConditionStatus.TRUE, reason, message
    else:
        verdict = ConditionStatus.FALSE, _name_progress(build), build.detail
    return (_state(ConditionType.MODEL_READY, *verdict),)


def _name_result(report: Report) -> tuple[str, str]:
    if report.fallback is not None:
        return "NativeFallback", say("NativeFallback", detail=report.fallback.message)
    if report.runtime == "Native":
        return "NativeRequested", say("NativeRequested")
    parity = report.parity
    if parity is not None and parity.verdict == "Verified":
        return "Verified", say("Verified", rows=parity.rows)
    if parity is not None and parity.verdict == "NotNeeded":
        return "OriginalIsONNX", say("OriginalIsONNX")
    return "NotVerified", say("NotVerified")


def _decide_traffic(situation: Situation) -> Verdict:
    kind, route = ConditionType.TRAFFIC_PROGRAMMED, situation.route
    if route is None:
        message = say("RoutePending", detail="no revision is ready yet.")
        return _state(kind, ConditionStatus.FALSE, "RoutePending", message)
    if route.trouble is not None:
        reason, words = route.trouble
        known = reason in REASONS
        message = words if known else say("RouteNotAccepted", detail=words)
        return _state(kind, ConditionStatus.FALSE, reason if known else "RouteNotAccepted", message)
    if not route.verified:
        message = say("RoutePending", detail="it was changed and is not yet confirmed.")
        return _state(kind, ConditionStatus.UNKNOWN, "RoutePending", message)
    if situation.hosts is not None:
        hosts = situation.hosts
        return _state(kind, ConditionStatus.FALSE, hosts.reason, hosts.message)
    revision = (situation.answering_revision or "")[:SHOWN]
    message = say("Programmed", revision=revision)
    return _state(kind, ConditionStatus.TRUE, "Programmed", message)


def _decide_analysis(situation: Situation) -> tuple[Verdict, ...]:
    """What the metrics say, and whether they can be read."""
    evidence, refused = situation.evidence, situation.refused
    healthy, readable = ConditionType.ANALYSIS_HEALTHY, ConditionType.METRICS_AVAILABLE
    if evidence is None:
        if refused is None:
            return ()
        return (_state(healthy, ConditionStatus.FALSE, refused.reason, refused.message),)
    status, reason = ConditionStatus.UNKNOWN, "AnalysisRunning"
    if evidence.passed:
        status, reason = ConditionStatus.TRUE, "AnalysisPassed"
    if evidence.failed is not None:
        metric, _, comparison = evidence.failed.partition(": ")
        words = say("AnalysisFailed", metric=metric, comparison=comparison)
        judged = _state(healthy, ConditionStatus.FALSE, "AnalysisFailed", words)
    else:
        judged = _state(healthy, status, reason, say(reason))
    if evidence.unread_since is not None:
        words = say("MetricsUnavailable", detail=f"{evidence.unread}.")
        return judged, _state(readable, ConditionStatus.FALSE, "MetricsUnavailable", words)
    return judged, _state(readable, ConditionStatus.TRUE, "MetricsRead", say("MetricsRead"))


def _state(kind: ConditionType, status: ConditionStatus, reason: str, message: str) -> Verdict:
    return Verdict(type=kind, status=status, reason=reason, message=message)
