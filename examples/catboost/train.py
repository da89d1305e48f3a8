"""Which penguin is it? CatBoost with its own statistics of categories, saved as .cbm.

Those statistics have no counterpart in ONNX, so CatBoost itself answers, shut in.
"""

from pathlib import Path

from catboost import CatBoostClassifier
from palmerpenguins import load_penguins
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]

penguins = load_penguins()
rows = penguins[TEXTS + NUMBERS].fillna(dict.fromkeys(TEXTS, "unknown"))
X_train, X_test, y_train, y_test = train_test_split(
    rows, penguins["species"], test_size=0.2, random_state=0, stratify=penguins["species"]
)

model = CatBoostClassifier(
    iterations=100, depth=4, cat_features=TEXTS, one_hot_max_size=1, random_seed=0,
    thread_count=1, allow_writing_files=False, verbose=False,
)  # fmt: skip
model.fit(X_train, y_train)

model.save_model(str(HERE / "model.cbm"))
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(f"catboost: model.cbm, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
