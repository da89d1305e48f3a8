"""A few cells of `make coverage-boosters`: what is known to go wrong elsewhere, and some Native."""

from pathlib import Path

import pytest

from booster_judge import judge
from booster_matrix import Cell, cells

CHOSEN = {
    "XGBoost dart multi:softprob": "ONNX",
    "XGBoost gblinear multi:softmax": "ONNX",
    "XGBoost other early stopping": "ONNX",
    "XGBoost other missing=-1": "ONNX",
    "XGBoost other pandas categories": "ONNX",
    "XGBoost other objective of one's own": "Native",
    "XGBoost pipeline StandardScaler": "ONNX",
    "XGBoost pipeline OneHotEncoder, sparse": "ONNX",
    "LightGBM rf binary": "ONNX",
    "LightGBM other zero_as_missing": "ONNX",
    "LightGBM other codes of categories": "ONNX",
    "LightGBM other pandas categories": "ONNX",
    "LightGBM other linear_tree": "Native",
    "LightGBM pipeline RobustScaler": "ONNX",
    "CatBoost Lossguide MultiClass": "ONNX",
    "CatBoost SymmetricTree Poisson": "ONNX",
    "CatBoost other nan_mode=Max": "ONNX",
    "CatBoost other cat_features": "Native",
    "CatBoost inside CalibratedClassifierCV": "Native",
}
CELLS: dict[str, Cell] = {f"{cell.framework} {cell.group} {cell.name}": cell for cell in cells()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_built_answers_like_the_framework(name: str, tmp_path: Path) -> None:
    outcome = judge(CELLS[name], tmp_path)
    assert outcome.kind != "WRONG", outcome.why
    assert CHOSEN[name] == outcome.kind, outcome.why
    assert outcome.rows > 300
