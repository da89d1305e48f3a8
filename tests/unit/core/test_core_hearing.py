"""Commands to a rollout: a retry without a revision means what the spec asks for."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from slipway_operator.api.status import Status
from slipway_operator.decide.rollout.hearing import hear
from slipway_operator.state.command import Command, Verb
from slipway_operator.state.revision import Snapshot

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Built:
    """What a snapshot is asked here."""

    revision = "9e02bb22cc"

    class build:
        model_digest = "sha256:22"


def ask(verb: str, revision: str, **status: Any) -> tuple[Verb | None, str | None]:
    command = Command(
        id="1",
        verb=verb,
        revision=revision,
        uid="u",
        expires=NOW + timedelta(seconds=60),
        by="ada",
    )
    taken, answer = hear(
        command,
        before=Status(stable_revision="7c1f00aa11", **status),
        last_id=None,
        asked=cast("Snapshot", Built()),
        is_paused_by_spec=False,
        uid="u",
        now=NOW,
    )
    assert answer is not None
    return taken, answer.message


@pytest.mark.parametrize("revision", ["", "9e02bb22cc"], ids=["none", "the one asked for"])
def test_a_retry_is_of_what_the_spec_asks_for(revision: str) -> None:
    taken, message = ask("retry", revision, rejected_digests=("sha256:22",))
    assert (taken, message) == (Verb.RETRY, "retry of revision 9e02.")


def test_a_retry_of_another_revision_is_refused() -> None:
    taken, message = ask("retry", "5555555555", rejected_digests=("sha256:22",))
    assert taken is None
    assert message is not None
    assert message.startswith("It was meant for revision 5555, but now 9e02 is on its way.")


@pytest.mark.parametrize(
    ("verb", "status"),
    [("retry", {}), ("promote", {}), ("abort", {"canary_revision": "9e02bb22cc"})],
)
def test_what_cannot_be_meant_is_refused(verb: str, status: dict[str, Any]) -> None:
    assert ask(verb, "", **status)[0] is None
