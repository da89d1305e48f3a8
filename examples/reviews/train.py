"""What does a guest say? Short reviews in five scripts, read letter by letter.

Text beyond ASCII goes through the file, the conversion, JSON and the logs unchanged.
"""

from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

HERE = Path(__file__).parent
PRAISE = {
    "wonderful": ["The {} was wonderful", "I loved the {}"],
    "großartig": ["Das {} war großartig", "Schönes {}, gerne wieder"],
    "délicieux": ["Un {} délicieux", "Le {} était parfait, très élégant"],
    "отлично": ["{} — отлично", "Очень понравился {}"],
    "素晴らしい": ["{}は素晴らしい", "{}がとても好きです"],
}
BLAME = {
    "awful": ["The {} was awful", "I hated the {}"],
    "schrecklich": ["Das {} war schrecklich", "Nie wieder dieses {}"],
    "décevant": ["Un {} décevant", "Le {} était froid et très cher"],
    "ужасно": ["{} — ужасно", "Совсем не понравился {}"],
    "ひどい": ["{}はひどい", "{}が好きではありません"],
}
THINGS = [
    "Café",
    "menu",
    "Frühstück",
    "crème brûlée",
    "борщ",
    "суп",
    "寿司",
    "部屋",
    "smörgås",
    "ξενία",
]

rows = [
    (pattern.format(thing), mood)
    for mood, patterns in (("praise", PRAISE), ("blame", BLAME))
    for forms in patterns.values()
    for pattern in forms
    for thing in THINGS
]
reviews = pd.DataFrame(rows, columns=["review", "mood"])
X_train, X_test, y_train, y_test = train_test_split(
    reviews[["review"]], reviews["mood"], test_size=0.25, random_state=0, stratify=reviews["mood"]
)
columns = ColumnTransformer([("words", TfidfVectorizer(ngram_range=(1, 2)), "review")])
model = make_pipeline(columns, LogisticRegression(C=30.0, max_iter=1000))
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(f"reviews: model.joblib, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
