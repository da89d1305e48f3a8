"""Will an order come back? By its country and price; three models of the same question.

`model.joblib` serves first, `model-next.joblib` learnt from more orders, `model-narrow.joblib` from
orders without Spain: as files they look alike. docs/guides/rollouts.md rolls them out.
"""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
COUNTRIES = ["DE", "ES", "FR", "IT"]


def draw_orders(count: int, seed: int) -> pd.DataFrame:
    """Orders with whether they came back: more often the dear ones, and those of two countries."""
    draw = np.random.default_rng(seed)
    orders = pd.DataFrame(
        {"country": draw.choice(COUNTRIES, count), "price": draw.gamma(2.0, 40.0, count).round(2)}
    )
    odds = orders["price"] / 60 - 2 + orders["country"].isin(["DE", "ES"])
    orders["returned"] = np.where(draw.random(count) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return orders


def fit(orders: pd.DataFrame, path: Path) -> float:
    """Fit and write one model; its accuracy on orders that none of them saw."""
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["country"]), (StandardScaler(), ["price"])
    )
    model = make_pipeline(encode, LogisticRegression())
    model.fit(orders[["country", "price"]], orders["returned"])
    joblib.dump(model, path)
    unseen = draw_orders(2000, 9)
    return float(model.score(unseen[["country", "price"]], unseen["returned"]))


orders, more = draw_orders(500, 1), draw_orders(5000, 2)
accuracy = fit(orders, HERE / "model.joblib")
fit(more, HERE / "model-next.joblib")
fit(more[more["country"] != "ES"], HERE / "model-narrow.joblib")
orders[["country", "price"]].to_csv(HERE / "samples.csv", index=False)
draw_orders(40, 3)[["country", "price"]].to_csv(HERE / "rows.csv", index=False)
print(f"countries: model.joblib, accuracy {accuracy:.3f} on 2000 rows")
