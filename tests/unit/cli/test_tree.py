"""A rollout as a tree, and the words for its evidence: exact text."""

from datetime import UTC, datetime
from typing import Any

import pytest

import cli_fake as fake
from slipway_operator.api.reasons import REASONS
from slipway_operator.shown.rollouts import (
    describe_age,
    describe_outlook,
    format_rate,
    format_share,
    list_history,
)
from slipway_operator.shown.tree import Line, Tone, render_tree

NOW = datetime(2026, 1, 2, 3, 6, 25, tzinfo=UTC)


def pod(name: str, revision: str, *, phase: str = "Running", **status: Any) -> fake.Object:
    ready = status.pop("ready", True)
    container = {"ready": ready, "restartCount": status.pop("restarts", 0)}
    if waiting := status.pop("waiting", None):
        container["state"] = {"waiting": {"reason": waiting}}
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-02T03:04:25Z",
            "labels": {"slipway.dev/revision": revision},
            **status,
        },
        "spec": {"containers": [{"name": "serve"}]},
        "status": {"phase": phase, "containerStatuses": [container]},
    }


PODS = [
    pod("penguins-r7c1f-b", "7c1f00aa11"),
    pod("penguins-r7c1f-a", "7c1f00aa11"),
    pod("penguins-r9e02-c", "9e02bb22cc"),
    pod("penguins-r9e02-d", "9e02bb22cc", ready=False, restarts=3, waiting="CrashLoopBackOff"),
    {"metadata": {"name": "build"}},
]


def draw(item: fake.Object, pods: list[fake.Object] | None = None) -> str:
    return "\n".join(line.text for line in render_tree(item, pods or [], NOW)) + "\n"


def tones(lines: list[Line]) -> dict[str, Tone]:
    return {piece.text: piece.tone for line in lines for piece in line.pieces}


def test_a_canary_in_progress() -> None:
    item = fake.rolling(fake.model("penguins"))
    assert (
        draw(item, PODS)
        == """\
penguins   ◌ Observing   Revision 7c1f serves with 1 of 1 pods.
Canary   step 2/4   weight 25 %, observed 24.1 %   for 60s

NAME                     STATUS                           WEIGHT   READY   AGE
├─ 9e02bb22cc            Canary                           25 %     1/2     2m20s
│  ├─ penguins-r9e02-c   ✔ Running                                 1/1     2m
│  └─ penguins-r9e02-d   ✖ CrashLoopBackOff, restarts 3            0/1     2m
└─ 7c1f00aa11            Stable                           75 %     2/2     2m20s
   ├─ penguins-r7c1f-a   ✔ Running                                 1/1     2m
   └─ penguins-r7c1f-b   ✔ Running                                 1/1     2m

Analysis   as of 12s ago
errors    ◌ 0.32 % vs 0.41 %   n=310/5890   evidence 0.4/100   passes in ~2m10s
latency   ✔ 0.65 % vs 1.00 %   n=310/5890   evidence 0.0/100   passed
"""
    )
    found = tones(render_tree(item, PODS, NOW))
    assert found["penguins"] is Tone.TITLE
    assert found["◌ Observing"] is Tone.BUSY
    assert found["✔ 0.65 % vs 1.00 %"] is Tone.GOOD
    assert found["✖ CrashLoopBackOff, restarts 3"] is Tone.BAD


def test_one_that_waits_says_what_to_do() -> None:
    item = fake.rolling(fake.model("penguins"), "Paused", paused="ApprovalNeeded")
    head = draw(item).splitlines()[:3]
    assert head == [
        "penguins   ॥ Paused   Revision 7c1f serves with 1 of 1 pods.",
        f"→ {REASONS['ApprovalNeeded'].action}",
        "Canary   step 2/4   weight 25 %, observed 24.1 %   for 60s",
    ]


def test_one_that_is_held() -> None:
    told = "Metrics cannot be read: no answer."
    item = fake.rolling(fake.model("penguins"), "Held", reason="MetricsUnavailable", message=told)
    item["status"]["analysis"]["metrics"][0] = {"name": "errors", "verdict": "Unavailable"}
    said = draw(item)
    assert said.startswith(
        f"penguins   ⚠ Held   {told}\n→ Check that the operator reaches the pods' metrics port, or "
        "Prometheus if asked.\n"
    )
    assert said.splitlines()[-2:] == [
        "errors    ⚠ – vs –             n=0/0                           cannot be read",
        "latency   ✔ 0.65 % vs 1.00 %   n=310/5890   evidence 0.0/100   passed",
    ]


def test_one_that_was_rolled_back() -> None:
    item = fake.serving(fake.model("penguins"))
    item["status"] |= {
        "rollout": {
            "state": "RolledBack",
            "reason": "AnalysisFailed",
            "message": "errors: canary 12 of 310.",
        },
        "revisions": [
            {"hash": "9e02bb22cc", "role": "Previous", "retiredAt": "2026-01-02T03:06:05Z"},
            {"hash": "7c1f00aa11", "role": "Stable", "ready": 1, "desired": 1},
        ],
        "analysis": {"metrics": [{"name": "errors", "verdict": "Fail"}]},
    }
    assert (
        draw(item)
        == """\
penguins   ✖ RolledBack   errors: canary 12 of 310.
→ The stable revision answers again; see `slipway describe` for the evidence.

NAME            STATUS     WEIGHT   READY   AGE
├─ 7c1f00aa11   Stable              1/1
└─ 9e02bb22cc   Previous            0/0     retired 20s ago
"""
    )


@pytest.mark.parametrize(
    ("conditions", "line"),
    [
        ([fake.condition("Ready", "True", "Serving", "It\nanswers.")], "✔ Serving   It answers."),
        ([fake.condition("Ready", "False", "Building", "")], "◌ Building"),
        (
            [
                fake.condition("Ready", "True", "Building", "Step publish."),
                fake.condition("Reconciling", "True", "Progressing", "Step publish."),
            ],
            "◌ Building   Step publish.",
        ),
        ([fake.condition("Ready", "False", "CrashLoop", "It ends.")], "⚠ CrashLoop   It ends."),
        (
            [
                fake.condition("Ready", "False", "ModelNotFound", "No file."),
                fake.condition("Stalled", "True", "ModelNotFound", "No file."),
            ],
            "✖ ModelNotFound   No file.",
        ),
        ([], "◌ Unknown"),
    ],
    ids=["serving", "under way", "beside the old", "trouble", "failed", "never looked at"],
)
def test_without_a_rollout_it_is_what_ready_says(conditions: list[fake.Object], line: str) -> None:
    assert (
        draw(fake.model("penguins", conditions=conditions)).splitlines()[0] == f"penguins   {line}"
    )


def test_trouble_on_the_way_is_seen() -> None:
    item = fake.rolling(fake.model("penguins"), "Preparing", stepStartedAt=None, weights={})
    item["status"]["conditions"] = [fake.condition("Ready", "True", "CrashLoop", "It ends.")]
    item["status"]["display"] = {}
    assert "├─ 9e02bb22cc   Canary   0 %      1/2     2m20s\n" in draw(item)
    assert "└─ 7c1f00aa11   Stable   100 %    2/2     2m20s\n" in draw(item)
    assert draw(item).splitlines()[:3] == [
        "penguins   ⚠ Preparing   It ends.",
        "→ Look at `slipway logs` for its last words; it is started again, ever more slowly.",
        "Canary   weight 0 %",
    ]


def test_one_that_is_deleted() -> None:
    item = fake.serving(fake.model("penguins"))
    item["metadata"]["deletionTimestamp"] = fake.CREATED
    assert draw(item) == "penguins   ◌ Deleting\n"


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"phase": "Pending", "ready": False}, "◌ Pending"),
        ({"phase": "Failed", "ready": False}, "✖ Failed"),
        ({"ready": False, "waiting": "ErrImagePull"}, "✖ ErrImagePull"),
        ({"ready": False, "waiting": "ContainerCreating"}, "◌ Running"),
        ({"deletionTimestamp": fake.CREATED}, "◌ Terminating"),
    ],
)
def test_states_of_pods(more: dict[str, Any], line: str) -> None:
    item = fake.rolling(fake.model("penguins"))
    assert f"   {line}  " in draw(item, [pod("p", "9e02bb22cc", **more)])


def test_shares_and_rates() -> None:
    shares = (None, 0, 1, 2_500, 50_000, 123_456, 999_800, 999_999)
    assert [format_share(share) for share in shares] == [
        "", "0 %", "0 %", "0.25 %", "5 %", "12.3 %", "99.98 %", "100 %",
    ]  # fmt: skip
    counts = (None, {"total": 0}, {"total": 8}, {"total": 8, "bad": 1})
    assert [format_rate(each) for each in counts] == ["–", "–", "0.00 %", "12.50 %"]


@pytest.mark.parametrize(
    ("metric", "at", "words"),
    [
        ({"verdict": "Pass"}, None, "passed"),
        ({"verdict": "Fail"}, None, "failed"),
        ({"verdict": "Unavailable"}, None, "cannot be read"),
        ({}, None, "undecided"),
        ({"etaSeconds": 40}, None, "passes in ~40s"),
        ({"etaSeconds": 40}, "2026-01-02T03:06:15Z", "passes in ~30s"),
        ({"etaSeconds": 5}, "2026-01-02T03:06:15Z", "passes any moment"),
    ],
)
def test_the_outlook(metric: fake.Object, at: str | None, words: str) -> None:
    assert describe_outlook(metric, at=at, now=NOW) == words


def test_evidence_without_a_time_and_a_history_without_times() -> None:
    assert describe_age({}, NOW) == ""
    assert describe_age({"at": "2026-01-02T03:06:13Z"}, NOW) == "as of 12s ago"
    item = fake.rolling(fake.model("penguins"))
    del item["status"]["analysis"]["at"]
    assert "\nAnalysis\n" in draw(item)
    backwards = {"startedAt": "2026-01-02T03:06:13Z", "finishedAt": "2026-01-02T03:06:12Z"}
    assert [row[-1] for row in list_history([{}, backwards])] == ["", ""]
