"""ModelDeployment documents for the tests of the API."""

from typing import Any


def document(spec: dict[str, Any] | None = None, *, name: str = "churn") -> dict[str, Any]:
    """A valid ModelDeployment with `spec` laid over it (top-level members replace)."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"model": {"uri": "file:/models/churn.joblib"}} | (spec or {}),
    }


def with_model(**members: Any) -> dict[str, Any]:
    """A document whose model has these members."""
    return document({"model": {"uri": "file:/models/churn.joblib"} | members})
