"""Serving an ONNX deployment never unpickles and never imports what could, Bento lane included."""

import io
import json
import pickle
from pathlib import Path

import httpx

import serving_models
from serving_process import Served

# counts unpickling from the very first import on, and tells at the end
WATCHED = """
import atexit, sys
found = []
sys.addaudithook(lambda event, _: found.append(event) if event == "pickle.find_class" else None)
from slipway_runtime.serving.main import run
code = run()
loaded = [name for name in ("sklearn", "joblib", "skops", "skl2onnx") if name in sys.modules]
print("AUDIT", len(found), loaded)
raise SystemExit(code)
"""


def test_the_hook_would_see_it() -> None:
    code = WATCHED.replace(
        "from slipway", "import pickle; pickle.loads(pickle.dumps(Exception))\nfrom slipway"
    )
    served = Served(Path("/nowhere"), code=code)
    assert "AUDIT 1 []" in served.process.communicate(timeout=60)[0]


def test_no_request_makes_the_server_unpickle(tmp_path: Path) -> None:
    served = Served(serving_models.table(tmp_path / "model"), code=WATCHED).wait_ready()
    row = {"bill": 44.1, "mass": 3500, "island": "Dream"}
    hostile = pickle.dumps(Exception("x"))
    frame = serving_models.table_rows(5)
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    tensors = [
        {"name": "bill", "datatype": "FP32", "shape": [1, 1], "data": [44.1]},
        {"name": "mass", "datatype": "FP32", "shape": [1, 1], "data": [3500]},
        {"name": "island", "datatype": "BYTES", "shape": [1, 1], "data": ["Dream"]},
    ]
    media = {
        "application/json": json.dumps([row]).encode(),
        "text/csv": frame.to_csv(index=False).encode(),
        "application/vnd.apache.parquet": parquet.getvalue(),
    }
    with httpx.Client(base_url=served.url, timeout=60) as client:
        for media_type, body in media.items():
            answer = client.post("/predict", content=body, headers={"content-type": media_type})
            assert answer.status_code == 200, answer.text
        answer = client.post("/v2/models/model/infer", json={"inputs": tensors})
        assert answer.status_code == 200
        answer = client.post("/bento/predict", json={"rows": [row]})
        assert answer.status_code == 200, answer.text
        assert client.get("/bento/docs.json").status_code == 200
        for path in ("/predict", "/v2/models/model/infer", "/bento/predict"):
            for kind in ("application/vnd.bentoml+pickle", "application/octet-stream"):
                answer = client.post(path, content=hostile, headers={"content-type": kind})
                assert answer.status_code == 415
            answer = client.post(
                path, content=hostile, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 400
    code, output = served.end()
    assert code == 0
    assert "AUDIT 0 []" in output


def test_the_bento_in_the_server_gives_the_same_numbers(tmp_path: Path) -> None:
    served = Served(serving_models.table(tmp_path / "model")).wait_ready()
    rows = serving_models.table_rows(20).to_dict("records")
    try:
        ours = httpx.post(served.url + "/predict", json=rows).json()
        bento = httpx.post(served.url + "/bento/predict", json={"rows": rows}, timeout=60)
        assert bento.json()["predictions"] == ours["predictions"]
        assert bento.headers["x-model-revision"] == "abcdef0123"
    finally:
        served.end()
