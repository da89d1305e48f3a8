"""A ModelDeployment drawn for `describe`, section by section. Reads no clock and no network."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from slipway_operator.cli.build_steps import list_steps
from slipway_operator.cli.contract_table import print_columns
from slipway_operator.cli.rollout_portrait import print_analysis, print_rollout
from slipway_operator.cli.screen import print_table
from slipway_operator.cli.sections import on_one_line, print_line, print_title
from slipway_operator.cli.story import (
    advice,
    describe_parity,
    describe_runtime,
    report_of,
)
from slipway_operator.shown.columns import find_condition, last_seen
from slipway_operator.shown.words import age_of, count, format_number, format_seconds, read_time

Object = Mapping[str, Any]
SHOWN_EVENTS = 20


def print_portrait(
    console: Console,
    item: Object,
    *,
    manifest: Object | None,
    events: Sequence[Object],
    pods: Sequence[Object],
    now: datetime,
) -> None:
    """All sections; `manifest` is that of the stable revision, if it is at hand."""
    _print_head(console, item, now)
    _print_model(console, item, manifest)
    _print_build(console, item, pods, now)
    _print_parity(console, item, manifest)
    _print_conditions(console, item, now)
    _print_contract(console, item, manifest)
    _print_revisions(console, item, now)
    print_rollout(console, item, now)
    print_analysis(console, item, now)
    _print_events(console, item, events, now)


def _print_head(console: Console, item: Object, now: datetime) -> None:
    meta, status = item["metadata"], item.get("status") or {}
    ready = find_condition(item, "Ready")
    print_line(console, "Name", meta["name"])
    print_line(console, "Namespace", meta.get("namespace"))
    created = meta.get("creationTimestamp")
    print_line(console, "Created", f"{created} ({age_of(created, now)} ago)")
    print_line(console, "Generation", _generation(item))
    print_line(console, "URL", status.get("url"))
    for title, key in (("In cluster", "inCluster"), ("gRPC", "grpc")):
        print_line(console, title, (status.get("addresses") or {}).get(key))
    override = ((item.get("spec") or {}).get("traffic") or {}).get("revisionOverride")
    if override == "Token":
        print_line(console, "New revision", describe_override(meta["name"], meta.get("namespace")))
    since = f" for {age_of(status['since'], now)}" if status.get("since") else ""
    print_line(console, "Ready", f"{ready.get('status', 'Unknown')}, {ready.get('reason')}{since}")
    print_line(console, "", on_one_line(ready.get("message")))
    if ready.get("status") != "True":
        print_line(console, "What to do", advice(str(ready.get("reason"))))


def describe_override(name: str, namespace: str | None) -> str:
    """How a request gets to the revision on its way, whatever its share is."""
    place = f" -n {namespace}" if namespace else ""
    token = f"kubectl get secret {name}-override{place} -o jsonpath='{{.data.token}}' | base64 -d"
    return f'curl -H "x-slipway-revision: $({token})" …'


def _print_model(console: Console, item: Object, manifest: Object | None) -> None:
    status, asked = item.get("status") or {}, (item.get("spec") or {}).get("model") or {}
    found, report = status.get("model") or {}, report_of(item)
    print_title(console, "Model")
    print_line(console, "  URI", asked.get("uri"))
    print_line(console, "  Digest", found.get("digest"))
    print_line(console, "  Samples", (asked.get("samples") or {}).get("uri"))
    print_line(console, "  Format", found.get("format"))
    print_line(console, "  Estimator", report.get("estimator"))
    print_line(console, "  Task", report.get("task"))
    print_line(console, "  Runtime", describe_runtime(item))
    trained = ((manifest or {}).get("model") or {}).get("trainingVersions") or {}
    print_line(console, "  Trained with", ", ".join(f"{k} {v}" for k, v in trained.items()))
    sandbox = (manifest or {}).get("sandbox") or {}
    print_line(console, "  Opened inside", ", ".join(sandbox.get("enforced") or []))
    print_line(console, "  Lacking", ", ".join(sandbox.get("missing") or []))


def _print_build(console: Console, item: Object, pods: Sequence[Object], now: datetime) -> None:
    build = (item.get("status") or {}).get("build") or {}
    if not build:
        return
    report = report_of(item)
    started, finished = read_time(build.get("startedAt")), read_time(build.get("finishedAt"))
    print_title(console, "Build")
    print_line(console, "  Hash", build.get("hash"))
    print_line(console, "  Stage", build.get("stage"))
    print_line(console, "  Attempt", build.get("attempt"))
    if started is not None:
        print_line(
            console, "  Started", f"{build['startedAt']} ({age_of(build['startedAt'], now)} ago)"
        )
    if started is not None and finished is not None and finished >= started:
        print_line(console, "  Took", format_seconds((finished - started).total_seconds()))
    print_line(console, "  Artifact", build.get("artifact"))
    if report and not report.get("ok"):
        print_line(console, "  Failed in", f"{report.get('step')}: {report.get('reason')}")
        if report.get("message") != find_condition(item, "Ready").get("message"):
            print_line(console, "", report.get("message"))
            print_line(console, "  What to do", advice(str(report.get("reason"))))
    steps = list_steps(pods, build=build.get("hash"))
    if steps:
        print_table(console, ["STEP", "STARTED", "TOOK", "RESULT"], steps, indent="  ")


def _print_parity(console: Console, item: Object, manifest: Object | None) -> None:
    parity = (manifest or {}).get("parity") or report_of(item).get("parity")
    if not parity:
        return
    print_title(console, "Parity with the original")
    print_line(console, "  Verdict", describe_parity(parity))
    if parity.get("sampleRows") is not None:
        samples = count(parity["sampleRows"], "sample row")
        probes = count(parity.get("probeRows") or 0, "probe")
        print_line(console, "  Rows", f"{samples}, {probes} made from the model")
    tolerance = parity.get("tolerance") or {}
    if tolerance:
        print_line(
            console,
            "  Tolerance",
            f"absolute {format_number(tolerance.get('absolute'))}, "
            f"relative {format_number(tolerance.get('relative'))}, "
            f"{count(int(tolerance.get('labelFlips') or 0), 'label flip')}",
        )
    attempts = parity.get("attempts") or []
    if attempts:
        tried = [
            f"{each.get('options')}: {each.get('outcome')}"
            + (f" ({each['detail']})" if each.get("detail") else "")
            for each in attempts
        ]
        print_line(console, "  Attempts", tried[0])
        for each in tried[1:]:
            print_line(console, "", each)


def _print_conditions(console: Console, item: Object, now: datetime) -> None:
    conditions = (item.get("status") or {}).get("conditions") or []
    if not conditions:
        return
    print_title(console, "Conditions")
    rows, told = [], dict[str, str]()
    for each in conditions:
        kind, message = str(each.get("type", "")), on_one_line(each.get("message"))
        first = told.setdefault(message, kind)
        rows.append(
            [
                kind,
                str(each.get("status", "")),
                str(each.get("reason", "")),
                age_of(each.get("lastTransitionTime"), now),
                message if first == kind else f"as {first}",
            ]
        )
    print_table(console, ["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"], rows, indent="  ")


def _print_contract(console: Console, item: Object, manifest: Object | None) -> None:
    columns = ((manifest or {}).get("contract") or {}).get("columns") or []
    if not columns:
        summary = (item.get("status") or {}).get("contract") or {}
        if summary:
            print_title(console, "Contract")
            known = summary.get("categorical", 0)
            print_line(
                console, "  Columns", f"{summary.get('columns')}, {known} with known categories"
            )
        return
    print_title(console, "Contract (read out of the model)")
    stated = (item.get("spec") or {}).get("contract") or {}
    print_columns(console, columns, rules=stated.get("rules") or [])
    console.print(f"  Where no rule is stated: {stated.get('onViolation') or 'Warn'}.")


def _print_revisions(console: Console, item: Object, now: datetime) -> None:
    revisions = (item.get("status") or {}).get("revisions") or []
    if not revisions:
        return
    print_title(console, "Revisions")
    rows = [
        [
            str(each.get("hash", "")),
            _describe_role(each, now),
            str(each.get("runtime") or ""),
            f"{each.get('ready', 0)}/{each.get('desired', 0)}",
            age_of(each["verifiedAt"], now) if each.get("verifiedAt") else "",
            str(each.get("model") or "")[:19],
        ]
        for each in revisions
    ]
    header = ["REVISION", "ROLE", "RUNTIME", "READY", "VERIFIED", "MODEL"]
    print_table(console, header, rows, indent="  ")


def _describe_role(revision: Object, now: datetime) -> str:
    """With the time since when another one serves, for one that may come back."""
    role, until = str(revision.get("role", "")), revision.get("servedUntil")
    return f"{role}, served until {age_of(until, now)} ago" if until else role


def _print_events(console: Console, item: Object, events: Sequence[Object], now: datetime) -> None:
    uid = item["metadata"].get("uid")
    ours = [
        event
        for event in events
        if (event.get("regarding") or event.get("involvedObject") or {}).get("uid") == uid
    ]
    print_title(console, "Events")
    if not ours:
        console.print("  none")
        return
    ours.sort(
        key=lambda event: (last_seen(event), int(event["metadata"].get("resourceVersion", 0)))
    )
    rows = [
        [
            age_of(last_seen(event), now),
            str(event.get("type", "")),
            str(event.get("reason", "")),
            str(event.get("count") or (event.get("series") or {}).get("count") or 1),
            on_one_line(event.get("note") or event.get("message")),
        ]
        for event in ours[-SHOWN_EVENTS:]
    ]
    print_table(console, ["LAST SEEN", "TYPE", "REASON", "COUNT", "MESSAGE"], rows, indent="  ")


def _generation(item: Object) -> str:
    wanted = item["metadata"].get("generation", 0)
    seen = (item.get("status") or {}).get("observedGeneration", 0)
    return str(wanted) if wanted == seen else f"{wanted} (status speaks of {seen})"
