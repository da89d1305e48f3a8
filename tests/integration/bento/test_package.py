"""A built Bento is a standard one: `bentoml serve FOLDER` answers what our server answers."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import serving_models
from serving_process import HANG_GUARD, free_port, serving
from slipway_runtime.bento.package import BentoInfo, build_bento
from slipway_runtime.errors import BuildError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serving_models.table(tmp_path_factory.mktemp("models") / "table")


@pytest.fixture(scope="module")
def bento(model: Path, tmp_path_factory: pytest.TempPathFactory) -> BentoInfo:
    return build_bento(
        model, tmp_path_factory.mktemp("bentos") / "bento", tag="penguins:3f2a000000"
    )


@contextlib.contextmanager
def bentoml_serve(folder: Path, home: Path) -> Iterator[str]:
    """The command as a user types it, with nothing of this process's environment."""
    port = free_port()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("bentoml")), "serve", str(folder),
         "--port", str(port), "--host", "127.0.0.1"],
        env={"PATH": os.defpath, "HOME": str(home), "BENTOML_HOME": str(home / "bentoml"),
             "BENTOML_DO_NOT_TRACK": "True"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + HANG_GUARD
        while time.monotonic() < end:
            assert process.poll() is None, process.communicate()[0]
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(url + "/readyz").status_code == 200:
                    break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=HANG_GUARD)


def test_the_bento_is_whole_and_standard(bento: BentoInfo) -> None:
    document = yaml.safe_load((bento.path / "bento.yaml").read_text())
    assert bento.tag == "penguins:3f2a000000"
    assert (document["name"], document["version"]) == ("penguins", "3f2a000000")
    names = {path.relative_to(bento.path).as_posix() for path in bento.path.rglob("*")}
    assert {"src/service.py", "src/model.onnx", "src/manifest.json", "apis/openapi.yaml"} <= names
    needed = (bento.path / "env/python/requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in needed} == {"bentoml", "numpy", "onnxruntime"}
    assert not [path for path in bento.path.parent.iterdir() if path != bento.path]


def test_the_copied_code_needs_nothing_of_ours(bento: BentoInfo) -> None:
    """It runs where slipway-runtime and its other libraries cannot be imported."""
    code = (
        "import sys\n"
        "class Nothing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('slipway_runtime', 'msgspec', 'orjson', 'granian',"
        " 'pyarrow', 'obstore', 'sklearn', 'pandas', 'onnx'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Nothing())\n"
        "import service\n"
        "print('made', service.model.name)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=bento.path / "src", capture_output=True, text=True,
        env={"PATH": os.defpath, "HOME": str(bento.path.parent), "PYTHONPATH": ".",
             "PYTHONDONTWRITEBYTECODE": "1", "BENTOML_DO_NOT_TRACK": "True"}, check=False,
    )  # fmt: skip
    assert "made model" in ended.stdout, ended.stderr


def test_bentoml_serve_answers_the_same_numbers(
    model: Path, bento: BentoInfo, tmp_path: Path
) -> None:
    rows: list[Any] = serving_models.table_rows(40).to_dict("records")
    rows[3]["bill"] = None
    rows[7]["island"] = "Mars"
    with serving(model) as served:
        ours = httpx.post(served.url + "/predict", json=rows).json()
    with bentoml_serve(bento.path, tmp_path) as url:
        theirs = httpx.post(url + "/predict", json={"rows": rows}).json()
        refused = httpx.post(url + "/predict", json={"rows": []})
        schema = httpx.get(url + "/docs.json").json()
    assert theirs["predictions"] == ours["predictions"]
    assert theirs["violations"] == ours["violations"]
    assert refused.status_code == 400
    row = schema["components"]["schemas"]["Row"]
    assert set(row["properties"]) == {"bill", "mass", "island"}
    assert row["required"] == ["mass", "island"]


def test_a_model_that_bentoml_cannot_pack_is_a_build_error(model: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build_bento(model, tmp_path / "bento", tag="Not A Name:1")
    assert caught.value.reason == "PublishFailed"
    assert not (tmp_path / "bento").exists()
