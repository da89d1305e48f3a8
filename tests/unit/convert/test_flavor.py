"""What a file is, told from its bytes."""

import bz2
import gzip
import lzma
import pickle
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from slipway_runtime.artifact.flavor import detect_flavor
from slipway_runtime.artifact.training_versions import find_training_versions
from slipway_runtime.errors import BuildError

ROWS = np.arange(12.0).reshape(6, 2)
MODEL = LinearRegression().fit(ROWS, ROWS[:, 0])


def _joblib(path: Path, compress: object) -> None:
    joblib.dump(StandardScaler().fit(ROWS), path, compress=compress)


@pytest.mark.parametrize("method", [None, "zlib", "gzip", "bz2", "lzma", "xz"], ids=str)
def test_joblib_is_known_in_every_compression(method: str | None, tmp_path: Path) -> None:
    path = tmp_path / "anything.txt"
    _joblib(path, (method, 3) if method else 0)
    flavor = detect_flavor(path)
    assert (flavor.format, flavor.loader, flavor.compression) == ("SKLearn", "joblib", method)
    assert find_training_versions(path, flavor) == {"scikit-learn": sklearn.__version__}


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_is_known_in_every_protocol(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"  # a name that lies
    path.write_bytes(pickle.dumps(MODEL, protocol=protocol))
    assert detect_flavor(path).loader == "pickle"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_version_is_found_without_unpickling(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(pickle.dumps(MODEL, protocol=protocol))
    assert find_training_versions(path, detect_flavor(path)) == {
        "scikit-learn": sklearn.__version__
    }


def test_skops_is_known_and_its_version_found(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    skops.io.dump(MODEL, path)
    flavor = detect_flavor(path)
    assert flavor.loader == "skops"
    assert find_training_versions(path, flavor) == {"scikit-learn": sklearn.__version__}


def _zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")


WHOLE = pickle.dumps(MODEL)
CONTENT: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "empty": (b"", ("empty", "0 bytes")),
    "cut pickle": (WHOLE[: len(WHOLE) // 2], ("cut short",)),
    "cut zlib": (zlib.compress(WHOLE * 9)[:-9], ("zlib", "cut short")),
    "cut gzip": (gzip.compress(WHOLE * 9)[:-9], ("gzip", "cut short")),
    "cut bz2": (bz2.compress(WHOLE)[:-9], ("bz2", "cut short")),
    "cut xz": (lzma.compress(WHOLE)[:-9], ("xz", "cut short")),
    "cut zip": (b"PK\x03\x04" + b"\x00" * 60, ("zip", "cut short")),
    "cut onnx": (b"\x08\x09\x12\x05skl2", ("ONNX", "cut short")),
    "html": (b"<!DOCTYPE html><html><body>Sign in</body></html>", ("HTML page", "3c 21 44")),
    "xml": (b"<?xml version='1.0'?><PMML/>", ("XML",)),
    "csv": (b"age,income\n1,2\n", ("CSV",)),
    "json": (b'{"a": 1}', ("JSON",)),
    "text": (b"not a model", ("plain text",)),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 20, ("HDF5",)),
    "parquet": (b"PAR1....PAR1", ("Parquet",)),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", ("Git LFS pointer",)),
    "noise": (bytes(range(128, 250)), ("no known kind",)),
    "gzipped csv": (gzip.compress(b"a,b\n1,2\n"), ("gzip", "CSV")),
    "lz4": (b"\x04\x22\x4d\x18" + b"\0" * 20, ("lz4", "compress=3")),
}


@pytest.mark.parametrize("name", CONTENT)
def test_what_is_no_model_is_described(name: str, tmp_path: Path) -> None:
    content, words = CONTENT[name]
    path = tmp_path / "model.joblib"
    path.write_bytes(content)
    with pytest.raises(BuildError) as caught:
        detect_flavor(path)
    assert caught.value.reason == "ModelUnreadable"
    assert 'Reading model "model.joblib" failed' in caught.value.message
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("names", "word"),
    [
        pytest.param(("archive/data.pkl",), "PyTorch", id="pytorch"),
        pytest.param(("config.json", "metadata.json"), "Keras", id="keras"),
        pytest.param(("a.npy", "b.npy"), "NumPy", id="npz"),
        pytest.param(("MLmodel", "model.pkl"), "MLflow", id="mlflow"),
        pytest.param(("readme.txt",), "zip archive", id="other"),
    ],
)
def test_a_zip_that_is_no_model_is_named(names: tuple[str, ...], word: str, tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    _zip(path, *names)
    with pytest.raises(BuildError, match=word):
        detect_flavor(path)
