"""Starts, tells and ends the test cluster: the order of things, each thing in its own module."""

import contextlib
import fcntl
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

from rig import control_plane, node
from rig.addons import install_addons, kubectl
from rig.build import build
from rig.certificates import make_certificates
from rig.daemons import NotUp, running, stop
from rig.machine import prepare_machine
from rig.network import (
    has_network,
    make_network,
    note_settings,
    remove_network,
    restore_settings,
)
from rig.places import Places

_MODELS = "modeldeployments.slipway.dev"


def up(places: Places) -> None:
    """Build what is missing and start the cluster, unless it runs.

    Raises:
        NotUp: it cannot be started.
    """
    problem = prepare_machine()
    if problem:
        raise NotUp(problem)
    with _one_at_a_time(places):
        build(places)
        if is_up(places):
            return
        _clear(places)
        _start(places)


def down(places: Places) -> None:
    """End it and all it left; what was built and stored stays."""
    with _one_at_a_time(places):
        _clear(places)


def reset(places: Places) -> None:
    """Remove what tests made, models first, and our definition: quicker than a new start."""
    if _has_definition(places):
        kubectl(places, "delete", _MODELS, "--all", "-A", "--wait=false")
    made = kubectl(places, "get", "namespaces", "-l", "slipway.dev/test", "-o", "name").split()
    for name in made:
        kubectl(places, "delete", name, "--wait=false")
    if _has_definition(places):
        _release_models(places)
        kubectl(places, "delete", "crd", _MODELS)


def _has_definition(places: Places) -> bool:
    return bool(kubectl(places, "get", "crd", _MODELS, "--ignore-not-found", "-o", "name"))


def _release_models(places: Places) -> None:
    """Without an operator nobody takes the finalizer off, and the definition would wait."""
    told = kubectl(places, "get", _MODELS, "-A", "-o", "json")
    for model in json.loads(told)["items"]:
        metadata = model["metadata"]
        kubectl(
            places, "patch", _MODELS, metadata["name"], "-n", metadata["namespace"],
            "--type=merge", "-p", '{"metadata":{"finalizers":null}}',
        )  # fmt: skip


def is_up(places: Places) -> bool:
    """Whether every process of it runs and the Gateway is there."""
    found = running(places)
    whole = {*control_plane.NAMES, *node.NAMES, "containerd"}
    if not has_network() or {name for name, runs in found.items() if runs} < whole:
        return False
    try:
        kubectl(places, "get", "gateway", "-n", "envoy-gateway-system", "slipway")
    except subprocess.CalledProcessError:
        return False
    return (places.state / "whole").exists()


def _start(places: Places) -> None:
    began = time.monotonic()
    _remove_former(places)
    places.state.mkdir(parents=True)
    note_settings(places.state / "settings")
    make_certificates(places.keys)
    make_network()
    node.start_containerd(places)
    node.import_images(places, places.images)
    control_plane.start_control_plane(places)
    node.start_node(places)
    _tell("the node is ready", began)
    install_addons(places)
    (places.state / "whole").touch()
    _tell("DNS, metrics and the Gateway are ready", began)


def _remove_former(places: Places) -> None:
    """Drop what was built and stored for other versions: gigabytes, and no cluster runs."""
    for former in (*places.root.glob("built-*"), *places.root.glob("store-*")):
        if former not in (places.built, places.store):
            shutil.rmtree(former, ignore_errors=True)


def _clear(places: Places) -> None:
    try:
        stop(places, (*node.NAMES, *control_plane.NAMES), how=signal.SIGKILL)
        node.end_pods(places)
        stop(places, ("containerd",), how=signal.SIGTERM)
        node.clean_node(places)
    finally:  # the machine is as it was, whatever of the cluster is left
        remove_network()
        restore_settings(places.state / "settings")
    shutil.rmtree(places.state, ignore_errors=True)


@contextlib.contextmanager
def _one_at_a_time(places: Places) -> Iterator[None]:
    places.root.mkdir(parents=True, exist_ok=True)
    with (places.root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tell(what: str, began: float) -> None:
    print(f"  {what}: {time.monotonic() - began:.1f} s", flush=True)
