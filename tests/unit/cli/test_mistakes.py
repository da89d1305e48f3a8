"""A cluster's refusal, told in Slipway's words where they say more."""

from typing import Any

import pytest

from slipway_operator.cli.documents import Document
from slipway_operator.cli.errors import Refused
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
from slipway_operator.cli.mistakes import explain


def make(**serving: Any) -> Document:
    return Document(
        kind=MODEL_DEPLOYMENT,
        name="churn",
        namespace="n",
        source="standard input",
        body={
            "apiVersion": MODEL_DEPLOYMENT.api_version,
            "kind": MODEL_DEPLOYMENT.name,
            "metadata": {"name": "churn", "namespace": "n"},
            "spec": {"model": {"uri": "s3://models/m.joblib"}, "serving": serving},
        },
    )


@pytest.mark.parametrize("status", [400, 422, 500])
def test_every_mistake_is_told_with_its_fix(status: int) -> None:
    refused = Refused(".spec.serving.timeoutSecond: field not declared in schema", status=status)
    told = explain(refused, make(timeoutSecond=3, maxBatchRows="many"))
    assert told.message.startswith('Cannot apply modeldeployment.slipway.dev "churn": 2 mistakes.')
    assert "timeoutSeconds" in told.message
    assert "spec.serving.maxBatchRows" in told.message
    assert told.todo is not None


def test_what_is_no_mistake_of_the_document_stays_as_it_was_told() -> None:
    forbidden = Refused("you may not", status=403)
    assert explain(forbidden, make(timeoutSecond=3)) is forbidden
    another = Refused("a policy of this cluster says no", status=422)
    assert explain(another, make()) is another
