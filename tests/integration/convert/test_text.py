"""Text models: letters of every script are split as scikit-learn splits them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import convert_models as given

TEXTS = [
    "the quick brown fox", "Grüße aus Köln und Düsseldorf", "naïve café au lait", "hello world",
    "привет мир", "fox and hound world", "schöne grüße welt", "café noir", "你好 世界",
    "a b café c", "don't stop under_score a b c", "e-mail someone@example.org 50% off",
    "ÉCOLE fermée demain, 123 4567",
] * 4  # fmt: skip
LABELS = [0, 1, 2, 0, 3, 0, 1, 2, 4, 2, 0, 0, 2] * 4
ASKED = [
    *TEXTS[:13], "GRÜSSE aus köln", "un café naïve", "мир МИР", "世界 hello", "", "x y z fox",
    "Äpfel ÄPFEL äpfel café CAFÉ", "A b école ÉCOLE naïve",
]  # fmt: skip


@pytest.mark.parametrize("samples", [True, False], ids=["samples", "probes"])
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(make_pipeline(TfidfVectorizer(), LogisticRegression()), id="tfidf"),
        pytest.param(
            make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB()), id="bigrams"
        ),
    ],
)
def test_text_of_every_script_is_answered_alike(
    model: object, samples: bool, tmp_path: Path
) -> None:
    model.fit(TEXTS, LABELS)  # type: ignore[attr-defined]
    made = given.build(tmp_path, model, pd.DataFrame({"message": TEXTS}) if samples else None)
    assert made.manifest.runtime == "ONNX", made.manifest.fallback
    [column] = made.manifest.contract.columns
    assert (column.name, column.kind) == ("message" if samples else "text", "Text")
    answers = made.answer(pd.DataFrame({column.name: ASKED}))
    assert answers["label"].tolist() == model.predict(ASKED).tolist()  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        answers["probabilities"],
        model.predict_proba(ASKED),  # type: ignore[attr-defined]
        atol=1e-5,
    )


def test_text_beside_a_number(tmp_path: Path) -> None:
    table = pd.DataFrame({"message": TEXTS, "age": np.arange(len(TEXTS)) * 1.5})
    prepare = ColumnTransformer([("m", TfidfVectorizer(), "message")], remainder="passthrough")
    model = make_pipeline(prepare, LogisticRegression(max_iter=3000)).fit(table, LABELS)
    made = given.build(tmp_path, model, table)
    assert [c.kind for c in made.manifest.contract.columns] == ["Text", "Numerical"]
    assert made.manifest.runtime == "ONNX", made.manifest.fallback
    assert made.answer(table)["label"].tolist() == model.predict(table).tolist()
