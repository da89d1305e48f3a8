"""Jobs on the engine: order, failures, limits, Secrets, logs, told as a kubelet tells them."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local_engine import LocalEngine, build_deployment, build_job, wait_until
from slipway_operator.local.jobs import MOST_AT_ONCE

pytestmark = pytest.mark.engine
Object = dict[str, Any]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    running = LocalEngine(tmp_path_factory.mktemp("data")).start()
    yield running
    running.stop()


def finish(engine: LocalEngine, job: Object) -> Object:
    """The condition by which a job ended."""
    engine.apply(job).raise_for_status()

    def ended() -> Object | None:
        conditions = (engine.get(job).get("status") or {}).get("conditions") or ()
        return next(iter(conditions), None)

    return wait_until(ended, f"job {job['metadata']['name']} ends")


def states(engine: LocalEngine, job: Object) -> list[Object]:
    """How each container of the job's newest pod is."""
    status = engine.pods(job["metadata"]["name"])[-1]["status"]
    both = [*status["initContainerStatuses"], *status["containerStatuses"]]
    return [container["state"] for container in both]


def test_steps_run_in_order_and_share_their_folder(engine: LocalEngine) -> None:
    write = "import os; open(os.environ['WORK'] + '/note', 'w').write('from step0')"
    read = (
        "import os; print(open(os.environ['WORK'] + '/note').read()); "
        "open(os.environ['SLIPWAY_TERMINATION_LOG'], 'w').write('the report')"
    )
    job = build_job("order", write, read)
    assert finish(engine, job)["type"] == "Complete"
    first, second = (state["terminated"] for state in states(engine, job))
    assert (first["exitCode"], first["reason"]) == (0, "Completed")
    assert second["message"] == "the report"
    pod = engine.pods("order")[0]
    assert pod["status"]["phase"] == "Succeeded"
    log = engine.http.get(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/log")
    assert log.text == "from step0\n"
    assert not (engine.data / "runs/pods" / pod["metadata"]["uid"] / "volumes").exists()


def test_only_so_many_jobs_work_at_once_and_every_one_has_its_turn(engine: LocalEngine) -> None:
    folder = engine.data / "at-work"
    folder.mkdir()
    step = (
        "import os, pathlib, time; "
        f"mine = pathlib.Path({str(folder)!r}, str(os.getpid())); mine.touch(); time.sleep(0.5); "
        "print(len(list(mine.parent.iterdir()))); time.sleep(0.2); mine.unlink()"
    )
    jobs = [build_job(f"turn{number}", step) for number in range(2 * MOST_AT_ONCE + 1)]
    for job in jobs:
        engine.apply(job).raise_for_status()
    assert [finish(engine, job)["type"] for job in jobs] == ["Complete"] * len(jobs)
    seen = []
    for job in jobs:
        name = engine.pods(job["metadata"]["name"])[0]["metadata"]["name"]
        seen.append(int(engine.http.get(f"/api/v1/namespaces/default/pods/{name}/log").text))
    assert max(seen) <= MOST_AT_ONCE


def test_a_failed_step_ends_the_job_and_later_ones_never_run(engine: LocalEngine) -> None:
    job = build_job("failing", "raise SystemExit(3)", "print('never')")
    condition = finish(engine, job)
    assert (condition["type"], condition["reason"]) == ("Failed", "BackoffLimitExceeded")
    first, second = states(engine, job)
    assert first["terminated"]["exitCode"] == 3
    assert first["terminated"]["reason"] == "Error"
    assert "waiting" in second


def test_a_step_out_of_time_is_ended(engine: LocalEngine) -> None:
    job = build_job("late", "import time; time.sleep(60)", spec={"activeDeadlineSeconds": 3})
    condition = finish(engine, job)
    assert (condition["type"], condition["reason"]) == ("Failed", "DeadlineExceeded")
    assert states(engine, job)[0]["terminated"]["exitCode"] == 143


def test_a_step_out_of_memory_is_killed_with_its_children(engine: LocalEngine) -> None:
    eat = "import os, time; os.fork(); x = b'x' * (150 << 20); time.sleep(60)"
    job = build_job("hungry", eat)
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"memory": "200Mi"}}
    assert finish(engine, job)["type"] == "Failed"
    ended = states(engine, job)[0]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_step_that_fills_its_folder_is_evicted(engine: LocalEngine) -> None:
    fill = "import os, time; open(os.environ['WORK'] + '/x', 'wb').write(b'x' * (3 << 20)); "
    job = build_job("full", fill + "time.sleep(60)")
    job["spec"]["template"]["spec"]["volumes"][0]["emptyDir"] = {"sizeLimit": "1Mi"}
    assert finish(engine, job)["type"] == "Failed"
    status = engine.pods("full")[0]["status"]
    assert status["reason"] == "Evicted"
    assert '"1Mi"' in status["message"]


def test_failed_attempts_are_repeated_up_to_the_limit(engine: LocalEngine) -> None:
    job = build_job("again", "raise SystemExit(1)", spec={"backoffLimit": 1})
    assert finish(engine, job)["reason"] == "BackoffLimitExceeded"
    assert engine.get(job)["status"]["failed"] == 2
    assert len(engine.pods("again")) == 2


def test_an_ended_job_goes_after_its_time_and_takes_its_pod_along(engine: LocalEngine) -> None:
    job = build_job("brief", "pass", spec={"ttlSecondsAfterFinished": 0})
    engine.apply(job).raise_for_status()
    wait_until(lambda: engine.find(job) is None, "the job is gone")
    wait_until(lambda: engine.pods("brief") == [], "its pod is gone")


def phase_of(pod: dict[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase"))


def test_a_deleted_job_takes_its_processes_along(engine: LocalEngine) -> None:
    job = build_job("gone", "import time; print('here', flush=True); time.sleep(60)")
    engine.apply(job).raise_for_status()
    wait_until(lambda: [p for p in engine.pods("gone") if phase_of(p) == "Running"], "it runs")
    pid_file = next(engine.data.glob("runs/pods/*/containers/step0/0/state.json"), None)
    assert pid_file is not None
    engine.delete(job)
    wait_until(lambda: engine.pods("gone") == [], "its pod is gone")


def test_a_secret_is_seen_by_the_step_that_mounts_it_only(engine: LocalEngine) -> None:
    word = "correct-horse"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "default", "name": "key"},
        "stringData": {"token": word},
    }
    look = (
        "import glob, os, stat\n"
        "for path in glob.glob(os.environ['SECRETS'] + '/*'):\n"
        "    print(os.path.basename(path), oct(stat.S_IMODE(os.stat(path).st_mode)), "
        "len(open(path).read()))\n"
        "print('looked')"
    )
    job = build_job("guarded", look, look)
    spec = job["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "key", "secret": {"secretName": "key"}})
    for container in (*spec["initContainers"], *spec["containers"]):
        container["env"].append({"name": "SECRETS", "value": "/slipway/secrets"})
    spec["initContainers"][0]["volumeMounts"].append(
        {"name": "key", "mountPath": "/slipway/secrets"}
    )
    engine.apply(job).raise_for_status()

    def waiting() -> str:
        pods = engine.pods("guarded")
        found = pods[0].get("status", {}).get("initContainerStatuses", []) if pods else []
        return json.dumps(found)

    wait_until(lambda: "CreateContainerConfigError" in waiting(), "it waits for the Secret")
    assert 'secret \\"key\\" not found' in waiting()
    engine.apply(secret).raise_for_status()
    assert finish(engine, job)["type"] == "Complete"
    pod = engine.pods("guarded")[0]["metadata"]["name"]
    log = f"/api/v1/namespaces/default/pods/{pod}/log"
    assert engine.http.get(log, params={"container": "step0"}).text == "token 0o400 13\nlooked\n"
    assert engine.http.get(log, params={"container": "step1"}).text == "looked\n"
    everything = b"".join(
        path.read_bytes()
        for path in engine.data.rglob("*")
        if path.is_file() and not path.name.startswith("store.sqlite")
    )
    assert word.encode() not in everything
    assert base64.b64encode(word.encode()) not in everything


def test_what_the_engine_has_not_is_refused_in_words(engine: LocalEngine) -> None:
    job = build_job("mapped", "pass")
    job["spec"]["template"]["spec"]["volumes"] = [{"name": "work", "hostPath": {"path": "/"}}]
    engine.apply(job).raise_for_status()

    def message() -> str:
        pods = engine.pods("mapped")
        found = pods[0].get("status", {}).get("containerStatuses", []) if pods else []
        return str(found[0]["state"].get("waiting", {}).get("message", "")) if found else ""

    wait_until(lambda: "hostPath" in message(), "the refusal")


def test_the_environment_is_stripped(
    engine: LocalEngine,
) -> None:
    show = "import os; print(sorted(k for k in os.environ if not k.startswith('SLIPWAY_')))"
    job = build_job("bare", show)
    finish(engine, job)
    pod = engine.pods("bare")[0]["metadata"]["name"]
    names = set(
        json.loads(
            engine.http.get(f"/api/v1/namespaces/default/pods/{pod}/log").text.replace("'", '"')
        )
    )
    allowed = {
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "PATH",
        "PYTHONUNBUFFERED",
        "TMPDIR",
        "TZ",
        "WORK",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
    assert names <= allowed


def test_a_crashing_server_backs_off_with_its_last_words(engine: LocalEngine) -> None:
    deployment = build_deployment("crash", program="print('no such thing'); raise SystemExit(7)")
    engine.apply(deployment).raise_for_status()

    def waiting() -> Object:
        pods = engine.pods("crash")
        found = pods[0].get("status", {}).get("containerStatuses", []) if pods else []
        state = found[0] if found else {}
        reason = state.get("state", {}).get("waiting", {}).get("reason")
        return state if state.get("restartCount") and reason == "CrashLoopBackOff" else {}

    status = wait_until(waiting, "a second crash")
    assert "exit code 7" in status["state"]["waiting"]["message"]
    assert "no such thing" in status["state"]["waiting"]["message"]
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert engine.get(deployment)["status"]["availableReplicas"] == 0
    engine.delete(deployment)
    wait_until(lambda: engine.pods("crash") == [], "its pod is gone")
