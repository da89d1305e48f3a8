"""What is wrong with a document, in the words of Slipway where a cluster's own say less.

Asked only when the API server has refused it: its definition may be of another version, and what
it takes is right.
"""

from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.cli.client import refuse_for
from slipway_operator.cli.documents import Document
from slipway_operator.cli.errors import Refused
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT

# a field that does not fit the schema, under server-side apply: 500; a rule that is broken: 422
_ABOUT_THE_DOCUMENT = frozenset({400, 422, 500})


def explain(refused: Refused, document: Document) -> Refused:
    """The refusal with every mistake that Slipway finds; unchanged where it finds none."""
    if document.kind is not MODEL_DEPLOYMENT or refused.status not in _ABOUT_THE_DOCUMENT:
        return refused
    causes = [
        {"field": each.path, "reason": each.reason, "message": each.message}
        for each in parse_modeldeployment(document.body, on_laptop=False).errors
    ]
    if not causes:
        return refused
    return refuse_for(
        f'apply {document.kind.full_name} "{document.name}"', causes, status=refused.status
    )
