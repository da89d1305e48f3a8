"""Columns, kinds, categories and ranges, read out of fitted models."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from slipway_runtime.contract_of.read import merge_samples, read_model
from slipway_runtime.contract_of.reading import ColumnReading, ModelReading

DRAW = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "age": DRAW.uniform(18, 80, 80).round(1),
        "pay": DRAW.uniform(1, 9, 80).round(2),
        "land": DRAW.choice(["DE", "FR"], 80),
        "year": DRAW.choice([2007, 2008], 80),
        "unused": np.arange(80),
    }
)
TRUTH = (TABLE["age"] > 45).astype(int)
NUMBERS = TABLE[["age", "pay"]]


def _read(model: object, names: tuple[str, ...] = ()) -> ModelReading:
    reading = read_model(model, names)
    assert reading is not None
    return reading


def _columns(model: object) -> dict[str, ColumnReading]:
    return {column.name: column for column in _read(model).columns}


def test_a_column_transformer_tells_kinds_and_drops_what_it_does_not_use() -> None:
    prepare = ColumnTransformer(
        [
            (
                "n",
                make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
                ["age", "pay"],
            ),
            ("c", OneHotEncoder(handle_unknown="ignore"), ["land"]),
            ("o", OrdinalEncoder(), ["year"]),
        ]
    )
    model = make_pipeline(prepare, LogisticRegression()).fit(TABLE, TRUTH)
    columns = _columns(model)
    assert list(columns) == ["age", "pay", "land", "year"]
    assert [column.kind for column in columns.values()] == ["Numerical"] * 2 + ["Categorical"] * 2
    assert columns["age"].missing_allowed
    assert columns["age"].default == pytest.approx(TABLE["age"].median())
    assert columns["land"].categories == ("DE", "FR")
    assert columns["land"].unknown_allowed
    assert not columns["land"].missing_allowed
    assert (columns["year"].values, columns["year"].unknown_allowed) == ("Integer", False)


@pytest.mark.parametrize(
    ("scaler", "ranged"),
    [
        pytest.param(StandardScaler(), False, id="standard"),
        pytest.param(RobustScaler(), False, id="robust"),
        pytest.param(MinMaxScaler(), True, id="minmax"),
        pytest.param(MaxAbsScaler(), True, id="maxabs"),
        pytest.param(MinMaxScaler((-2, 5)), True, id="minmax elsewhere"),
    ],
)
def test_a_threshold_behind_a_scaler_is_told_in_raw_units(scaler: object, ranged: bool) -> None:
    tree = DecisionTreeClassifier(max_depth=1)
    model = make_pipeline(scaler, tree).fit(NUMBERS, TRUTH)
    column = _columns(model)["age"]
    above, below = TABLE["age"][TRUTH == 1].min(), TABLE["age"][TRUTH == 0].max()
    assert not column.points
    [threshold] = column.near
    assert threshold == pytest.approx((above + below) / 2, rel=1e-5)
    assert column.spread is not None
    assert (column.minimum is not None) == ranged
    if isinstance(scaler, MinMaxScaler):
        assert column.minimum == pytest.approx(TABLE["age"].min())
        assert column.maximum == pytest.approx(TABLE["age"].max())


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(DecisionTreeClassifier(), id="tree"),
        pytest.param(RandomForestClassifier(3), id="forest"),
        pytest.param(HistGradientBoostingClassifier(max_iter=2), id="histogram"),
        pytest.param(make_pipeline(FunctionTransformer(), DecisionTreeClassifier()), id="identity"),
    ],
)
def test_trees_on_raw_columns_tell_exact_thresholds_and_take_holes(model: object) -> None:
    column = _columns(model.fit(NUMBERS, TRUTH))["age"]  # type: ignore[attr-defined]
    assert column.points
    assert not column.near
    assert column.missing_allowed


def test_a_linear_model_refuses_holes_and_an_imputer_before_it_takes_them() -> None:
    bare = _columns(LinearRegression().fit(NUMBERS, TRUTH))
    filled = _columns(make_pipeline(KNNImputer(), LinearRegression()).fit(NUMBERS, TRUTH))
    assert not bare["age"].missing_allowed
    assert filled["age"].missing_allowed


def test_one_of_two_branches_that_refuses_a_hole_decides() -> None:
    union = FeatureUnion([("a", SimpleImputer()), ("b", KBinsDiscretizer(3, encode="ordinal"))])
    model = make_pipeline(union, LinearRegression()).fit(NUMBERS, TRUTH)
    assert _columns(model)["age"].points


def test_names_are_made_where_the_model_has_none() -> None:
    model = LinearRegression().fit(NUMBERS.to_numpy(), TRUTH)
    assert _read(model).names == ("x0", "x1")
    assert _read(model, ("a", "b")).names == ("a", "b")
    assert _read(model, ("target", "a", "b")).names == ("a", "b")
    assert _read(model, ("a", "b", "c", "d")).names == ("x0", "x1")
    assert _read(model).feeding == "Matrix"


def test_a_search_stands_for_its_best_model() -> None:
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2)
    assert _read(search.fit(NUMBERS, TRUTH)).names == ("age", "pay")


def test_text_has_one_column_and_its_words() -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        ["red fox", "blue dog"], [0, 1]
    )
    reading = _read(model)
    assert (reading.feeding, reading.names) == ("Texts", ("text",))
    assert reading.columns[0].words == ("blue", "dog", "fox", "red")
    assert _read(model, ("message",)).names == ("message",)


def test_what_tells_nothing_is_told_by_the_samples() -> None:
    model = FunctionTransformer(np.log1p).fit(NUMBERS.to_numpy())
    del model.n_features_in_
    assert read_model(model) is None
    assert _read(model, ("age", "pay")).names == ("age", "pay")


def test_centres_of_clusters_show_where_the_data_lay() -> None:
    column = _columns(KMeans(2, n_init=1, random_state=0).fit(NUMBERS))["age"]
    assert column.centre is not None
    assert 18 <= column.centre <= 80


def test_samples_add_ranges_and_categories_but_change_no_category_of_the_model() -> None:
    prepare = ColumnTransformer(
        [("c", OneHotEncoder(), ["land"]), ("f", FunctionTransformer(), ["age"])]
    )
    reading = _read(make_pipeline(prepare, LogisticRegression()).fit(TABLE, TRUTH))
    merged = merge_samples(
        reading,
        {
            "land": np.array(["DE", "XX", None], dtype=object),
            "age": np.array([20.0, 30.0, np.nan]),
        },
    )
    columns = {column.name: column.to_column() for column in merged.columns}
    assert columns["land"].categories == ("DE", "FR")
    assert columns["land"].source == "Model"
    assert columns["land"].missing_allowed
    assert (columns["age"].minimum, columns["age"].maximum) == (20.0, 30.0)
    assert columns["age"].source == "Samples"


def test_a_forest_of_many_splits_notes_a_bounded_number() -> None:
    rows = DRAW.normal(size=(600, 1))
    model = RandomForestClassifier(30).fit(rows, DRAW.integers(0, 2, 600))
    assert 32 <= len(_read(model).columns[0].points) <= 64


def test_samples_tell_the_spaces_that_lightgbm_made_underscores_of() -> None:
    rows = NUMBERS.rename(columns={"age": "age in years", "pay": "pay_day"})
    model = LGBMClassifier(n_estimators=2, verbose=-1).fit(rows, TRUTH)
    assert _read(model).names == ("age_in_years", "pay_day")
    seen = ("pay_day", "age in years", "target")
    assert _read(model, seen).names == ("age in years", "pay_day")
    assert _read(model, ("age_in_years", "pay_day")).names == ("age_in_years", "pay_day")
