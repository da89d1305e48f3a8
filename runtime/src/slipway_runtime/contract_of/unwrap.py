"""Small questions to a scikit-learn object that need no import of scikit-learn."""

from collections.abc import Iterator

import numpy as np


def unwrap(model: object) -> object:
    """Take the best estimator out of a fitted search (GridSearchCV and its like)."""
    while hasattr(model, "best_estimator_") and hasattr(model, "cv_results_"):
        model = model.best_estimator_
    return model


def allows_missing(step: object) -> bool:
    """Whether the estimator says that it takes NaN."""
    tags = getattr(step, "__sklearn_tags__", None)
    if tags is None:
        return False
    return bool(tags().input_tags.allow_nan)


def takes_text(step: object) -> bool:
    """Whether the estimator says that it takes text."""
    tags = getattr(step, "__sklearn_tags__", None)
    return tags is not None and bool(tags().input_tags.string)


def first_step(model: object) -> object:
    """What the rows meet first: through pipelines and unions to a step of its own."""
    model = unwrap(model)
    while True:
        steps = getattr(model, "steps", None) or getattr(model, "transformer_list", None)
        inner = [part for _, part in steps or () if part is not None and not isinstance(part, str)]
        if not inner:
            return model
        model = unwrap(inner[0])


def last_step(model: object) -> object:
    """What gives the answer: the end of a pipeline."""
    model = unwrap(model)
    while steps := getattr(model, "steps", None):
        model = unwrap(steps[-1][1])
    return model


def is_estimator(value: object) -> bool:
    """Whether it can be asked for parameters like every scikit-learn estimator."""
    return hasattr(value, "get_params") and not isinstance(value, type)


def nested(model: object) -> Iterator[object]:
    """Every fitted estimator inside a model, itself first, each once."""
    seen: set[int] = set()
    pending: list[object] = [model]
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            pending.extend(reversed(list(value.values())))
        elif isinstance(value, list | tuple | set):
            pending.extend(reversed(list(value)))
        elif isinstance(value, np.ndarray) and value.dtype == object and value.size < 100_000:
            pending.extend(reversed(list(value.ravel())))
        elif is_estimator(value) or type(value).__name__ == "_CalibratedClassifier":
            yield value
            pending.extend(reversed(list(vars(value).values())))


def describe(model: object) -> str:
    """Name a model like `Pipeline(ColumnTransformer, LogisticRegression)`."""
    outer = type(model).__name__
    inner = unwrap(model)
    if inner is not model:
        return f"{outer}({describe(inner)})"
    steps = getattr(model, "steps", None)
    if steps:
        parts = (part for _, part in steps if part is not None and not isinstance(part, str))
        return f"{outer}({', '.join(type(unwrap(part)).__name__ for part in parts)})"
    return outer
