"""The training scripts: quick to skip, deterministic, and honest about what they made."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"))


def train(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "train_all.py"), *names],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def copy_of(name: str, folder: Path) -> Path:
    """The scripts of one example alone, with nothing trained."""
    (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "examples/train_all.py", folder)
    shutil.copy(ROOT / "examples" / name / "train.py", folder / name)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "train.py"
    }


def test_training_twice_gives_the_same_bytes_and_one_line(tmp_path: Path) -> None:
    first = copy_of("penguins", tmp_path / "first")
    second = copy_of("penguins", tmp_path / "second")
    said = [train(folder) for folder in (first, second)]
    assert [each.returncode for each in said] == [0, 0], said[0].stderr
    assert said[0].stdout == said[1].stdout
    assert said[0].stdout.startswith("penguins: model.joblib, accuracy 0.9")
    assert said[0].stdout.count("\n") == 1
    assert digests(first / "penguins") == digests(second / "penguins")
    assert set(digests(first / "penguins")) == {"model.joblib", "rows.csv", "samples.csv"}

    trained = (first / "penguins/model.joblib").stat().st_mtime_ns
    assert train(first).stdout == "", "nothing is stale, so nothing is trained"
    assert (first / "penguins/model.joblib").stat().st_mtime_ns == trained


def test_an_unknown_example_is_named(tmp_path: Path) -> None:
    said = train(copy_of("penguins", tmp_path), "pinguins")
    assert said.returncode == 2
    assert said.stderr == "No example 'pinguins'; there are penguins.\n"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_what_a_sample_names_is_written_by_its_script(sample: Path) -> None:
    model = yaml.safe_load(sample.read_text())["spec"]["model"]
    folder = ROOT / "examples" / sample.stem.replace("-", "_")
    scripts = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    for uri in (model["uri"], *(samples["uri"] for samples in [model.get("samples")] if samples)):
        assert f'HERE / "{Path(uri).name}"' in scripts
