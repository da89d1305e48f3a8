"""Models out of stores, as a user has them: a Secret, an address, and what happens when one lacks.

Real stores on loopback, which the engine's administrator allowed; each story has its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_terminal import condition, deployment, has_reason, is_true
from gcs_server import gcs_store
from store_servers import Store, azurite, put_az, put_s3, registry, versitygw


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Every store, running, and the folder of the S3 one."""

    s3: Store
    az: Store
    gs: Store
    oci: Store
    s3_folder: Path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.regression(tmp_path_factory.mktemp("model") / "model.joblib")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Stores]:
    folder = tmp_path_factory.mktemp("stores")
    content = {"models/churn/model.joblib": model.read_bytes()}
    with (
        versitygw(folder / "s3") as s3,
        azurite(folder / "az") as az,
        gcs_store(content) as (gs, _),
        registry(folder / "oci") as oci,
    ):
        yield Stores(s3=s3, az=az, gs=gs, oci=oci, s3_folder=folder / "s3")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory, stores: Stores) -> Iterator[Laptop]:
    """An engine whose administrator allows these stores."""
    allowed = ",".join(each.address for each in (stores.s3, stores.az, stores.gs, stores.oci))
    engine = Laptop(
        data=tmp_path_factory.mktemp("data"), environment={"SLIPWAY_FETCH_ALLOW": allowed}
    )
    engine.start()
    yield engine
    engine.stop()
    assert engine.processes() == []


def secret(name: str, content: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": content,
    }


def stored(name: str, uri: str, endpoint: str | None = None) -> dict[str, Any]:
    """A ModelDeployment whose keys lie in the Secret of the same name."""
    access: dict[str, Any] = {"secretRef": {"name": name}}
    if endpoint is not None:
        access["endpoint"] = endpoint
    return deployment(name, uri, model={"access": access})


def answers(laptop: Laptop, found: dict[str, Any]) -> bool:
    answer = laptop.post(found, "/predict", json=[{"age": 40.0, "income": 5.0}])
    return answer.status_code == 200 and len(answer.json()["predictions"]) == 1


def test_a_secret_and_a_model_that_come_later(laptop: Laptop, stores: Stores, model: Path) -> None:
    """Nothing of the ModelDeployment is edited; nothing that is told holds a key."""
    put_s3(stores.s3, "models", {}, folder=stores.s3_folder)
    laptop.apply(stored("later", "s3://models/churn/model.joblib", stores.s3.endpoint))
    found = laptop.wait("later", has_reason("SecretNotFound"))
    assert 'Secret "later"' in condition(found, "Ready")["message"]
    laptop.apply(secret("later", {**stores.s3.secrets, "AWS_SECRET_ACCESS_KEY": "planted-wrong"}))
    found = laptop.wait("later", has_reason("ModelAccessDenied"))
    assert "SignatureDoesNotMatch" in condition(found, "Ready")["message"]
    laptop.apply(secret("later", stores.s3.secrets))
    found = laptop.wait("later", has_reason("ModelNotFound"))
    assert "s3://models/churn/model.joblib" in condition(found, "Ready")["message"]
    put_s3(stores.s3, "models", {"churn/model.joblib": model.read_bytes()}, folder=stores.s3_folder)
    found = laptop.wait("later", is_true("UpToDate"))
    assert answers(laptop, found)
    told = "".join(
        laptop.run(*verb).text
        for verb in (("describe", "later"), ("get", "later", "-o", "yaml"), ("logs", "later"))
    )
    assert re.search("planted-[0-9a-f]{32}|planted-wrong", told) is None
    assert files_with(laptop.data / "runs", stores.s3.secrets["AWS_SECRET_ACCESS_KEY"]) == []


def files_with(folder: Path, word: str) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("kind", ["az", "gs"])
def test_a_model_out_of_a_store(laptop: Laptop, stores: Stores, model: Path, kind: str) -> None:
    store = stores.az if kind == "az" else stores.gs
    if kind == "az":
        put_az(store, "models", {"churn/model.joblib": model.read_bytes()})
    document = stored(kind, f"{kind}://models/churn/model.joblib", store.endpoint)
    said = laptop.apply(
        f"{yaml.safe_dump(secret(kind, store.secrets))}---\n{yaml.safe_dump(document)}", "--wait"
    )
    assert said.code == 0, said.text
    assert answers(laptop, laptop.get(kind))


def test_a_model_that_was_pushed(
    laptop: Laptop, stores: Stores, model: Path, tmp_path: Path
) -> None:
    """What `slipway push` prints is what goes into the YAML, samples and all."""
    rows = models.samples(tmp_path / "rows.csv")
    laptop.environment |= {
        "REGISTRY_USER": stores.oci.secrets["username"],
        "REGISTRY_PASSWORD": stores.oci.secrets["password"],
    }
    said = laptop.run(
        "push", str(model), f"oci://{stores.oci.address}/team/churn:7", "--samples", str(rows),
        "--username-env", "REGISTRY_USER", "--password-env", "REGISTRY_PASSWORD",
    )  # fmt: skip
    assert said.code == 0, said.text
    printed = yaml.safe_load(said.out)["spec"]["model"]
    assert re.fullmatch(r"oci://\S+/team/churn@sha256:[0-9a-f]{64}", printed["uri"])
    document = stored("pushed", printed["uri"])
    document["spec"]["model"] |= printed
    laptop.apply(secret("pushed", stores.oci.secrets))
    said = laptop.apply(document, "--wait")
    assert said.code == 0, said.text
    found = laptop.get("pushed")
    assert found["status"]["build"]["report"]["parity"]["verdict"] == "Verified"
    assert answers(laptop, found)


def test_a_claim_is_refused_at_once(laptop: Laptop) -> None:
    said = laptop.apply(deployment("claim", "pvc://models/model.joblib"))
    assert said.code != 0
    assert "a laptop has no PersistentVolumeClaims" in said.err
