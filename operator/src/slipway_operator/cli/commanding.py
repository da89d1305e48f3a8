"""Giving a command to a rollout: one patch of annotations, then the operator's answer."""

import time
import uuid
from datetime import timedelta
from typing import Final

from slipway_operator.cli.client import Client, Object
from slipway_operator.cli.errors import NOT_FOUND, TIMEOUT, USAGE, CliError
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT, find_kind, parse_reference
from slipway_operator.cli.screen import standard_output
from slipway_operator.decide.rollout.hearing import REFUSED
from slipway_operator.decide.rollout.scene import ENDED
from slipway_operator.edges.clock import utc_now
from slipway_operator.shown.words import format_seconds
from slipway_operator.state.command import ANNOTATION_COMMAND, Command, Verb, render_command

ANSWER_SECONDS = 10.0
_EXPIRES_SECONDS: Final = 60
_MOST_NAME: Final = 253  # as the status holds it
_DONE: Final = {
    Verb.PROMOTE: "promoted",
    Verb.PROMOTE_FULL: "promoted",
    Verb.ABORT: "aborted",
    Verb.PAUSE: "paused",
    Verb.RESUME: "resumed",
    Verb.RETRY: "retried",
    Verb.ROLLBACK: "rolled back",
}


def command(
    client: Client, verb: Verb, first: str | None, second: str | None, *, target: str = ""
) -> None:
    """Give it, wait for the answer and print it; CliError where it is refused. `target`: the first
    characters of the revision that a rollback brings back."""
    name = read_name(first, second)
    item = client.get(MODEL_DEPLOYMENT, namespace=client.namespace, name=name)
    _check(client, verb, item)
    status = item.get("status") or {}
    # What a retry means is what the spec asks for, and that is in no status.
    revision = "" if verb is Verb.RETRY else str(status.get("canaryRevision") or "")
    if verb is Verb.ROLLBACK and (not revision or _find_state(status) in ENDED):
        revision = str(status.get("stableRevision") or "")
    given = Command(
        id=str(uuid.uuid4()),
        verb=verb,
        revision=revision,
        uid=str(item["metadata"]["uid"]),
        expires=utc_now() + timedelta(seconds=_EXPIRES_SECONDS),
        by=(client.user or "")[:_MOST_NAME] or None,
        target=target,
    )
    client.annotate(
        MODEL_DEPLOYMENT,
        namespace=client.namespace,
        name=name,
        annotations=render_command(given),
    )
    answer = _wait(client, given, name)
    message = str(answer.get("message") or "")
    if answer.get("result") == REFUSED:
        raise CliError(f"refused: {message}")
    done = f"{MODEL_DEPLOYMENT.full_name}/{name} {_DONE[verb]} in {client.place}"
    standard_output().print(f"{done}: {message}" if message else done)


def read_name(first: str | None, second: str | None) -> str:
    """The name of a ModelDeployment out of `[KIND[/NAME]] [NAME]`."""
    kind, name = parse_reference(first, second)
    if kind is not MODEL_DEPLOYMENT:
        raise CliError(f"A {kind.name} has no rollout.", todo="Name a ModelDeployment.", code=USAGE)
    if name is None:
        raise CliError(
            "No name was given.", todo=f"`slipway get {kind.plural}` lists the names.", code=USAGE
        )
    return name


def read_revision(
    first: str | None, second: str | None, third: str | None
) -> tuple[str | None, str | None, str]:
    """The words that name the ModelDeployment, and the revision: `[KIND[/NAME]] [NAME] [REV]`."""
    has_kind = first is not None and "/" not in first and find_kind(first) is not None
    if has_kind:
        return first, second, third or ""
    if third is not None:
        raise CliError(
            f'Too many words: "{third}".', todo="Give a name and a revision.", code=USAGE
        )
    return first, None, second or ""


def _find_state(status: Object) -> str | None:
    state: str | None = (status.get("rollout") or {}).get("state")
    return state


def _check(client: Client, verb: Verb, item: Object) -> None:
    """Refuse at once what cannot be meant, as far as the status shows it."""
    meta, status = item["metadata"], item.get("status") or {}
    is_current = status.get("observedGeneration", 0) == meta.get("generation")
    state = _find_state(status)
    which = f'modeldeployment "{meta["name"]}"'
    if verb is Verb.RETRY:
        if is_current and not status.get("rejectedDigests"):
            raise CliError(
                f"refused: nothing of {which} was rolled back in {client.place}, so there is "
                "nothing to try again."
            )
        return
    is_running = bool(status.get("canaryRevision")) and state not in ENDED
    if verb is Verb.ROLLBACK:
        former = [each for each in status.get("revisions") or [] if each.get("servedUntil")]
        if is_current and not former and not is_running:
            raise CliError(
                f"refused: no revision of {which} that served before is kept in {client.place}.",
                todo=f"`slipway retry {meta['name']}` brings back what was taken back."
                if status.get("rejectedDigests")
                else "Apply a document with the model that you want; spec.rollout.rollbackWindow "
                "says how many are kept, and for how long.",
            )
        return
    if not is_running:
        todo = f"`slipway history {meta['name']}` tells how the last ones ended."
        if not is_current:
            todo = "The last change of it was not looked at yet: try again in a moment."
        raise CliError(f"refused: no rollout of {which} is running in {client.place}.", todo=todo)


def _wait(client: Client, given: Command, name: str) -> Object:
    """The answer to a command."""
    for change in client.follow(
        MODEL_DEPLOYMENT,
        namespace=client.namespace,
        name=name,
        deadline=time.monotonic() + ANSWER_SECONDS,
    ):
        item = change.object
        if change.kind == "DELETED" or item["metadata"].get("uid") != given.uid:
            raise CliError(f'modeldeployment "{name}" was deleted meanwhile.', code=NOT_FOUND)
        answer: Object = (item.get("status") or {}).get("lastCommand") or {}
        if answer.get("id") == given.id:
            return answer
        annotations = item["metadata"].get("annotations") or {}
        if annotations.get(f"{ANNOTATION_COMMAND}-id") != given.id:
            by = annotations.get(f"{ANNOTATION_COMMAND}-by") or "somebody"
            raise CliError(
                f'the command to modeldeployment "{name}" was replaced by one of {by} before it '
                "was answered.",
                todo=f"Look at `slipway get {name} -w`, then give it again if it still is needed.",
            )
    raise CliError(
        f'no answer to {given.verb} of modeldeployment "{name}" within '
        f"{format_seconds(ANSWER_SECONDS)} from {client.place}.",
        todo=f"It may still be carried out within {_EXPIRES_SECONDS} seconds, and not later: look "
        f"with `slipway describe {name}`; if nothing happens, check that the operator runs.",
        code=TIMEOUT,
    )
