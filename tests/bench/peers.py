"""The servers that are measured beside Slipway: one process each, on loopback, the same model.

BentoML and granian come with Slipway's own packages. MLServer and KServe cannot be installed beside
them, so each gets an environment of its own below `~/.cache/slipway/bench`, made once. Each serves
the model by onnxruntime in the way that its documentation shows for a model of one's own, with
what costs time and can be switched off (access logs, a second process) switched off.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serving_process import free_port

VALUES = [5.1, 3.5, 1.4, 0.2]
V2 = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": VALUES}]}
_INFER = "/v2/models/iris/infer"

# The same bytes in, an answer of the same size out, nothing done.
_BARE = """
import asyncio, signal, sys
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
ANSWER = b" " * 240
HEADERS = [("content-type", "application/json")]
async def answer(scope, proto):
    await proto()
    proto.response_bytes(200, HEADERS, ANSWER)
async def main():
    server = Server(answer, "127.0.0.1", int(sys.argv[1]), interface=Interfaces.RSGI,
                    websockets=False, log_enabled=False, backlog=1024)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()
{"uvloop": uvloop, "asyncio": asyncio}[sys.argv[2]].run(main())
"""

_BENTO = """
import bentoml, numpy, onnxruntime
@bentoml.service
class Iris:
    def __init__(self):
        self.session = onnxruntime.InferenceSession("model.onnx")
    @bentoml.api
    def infer(self, data: list[list[float]]) -> dict:
        labels, scores = self.session.run(None, {"X": numpy.array(data, numpy.float32)})
        return {"labels": labels.tolist(), "scores": scores.tolist()}
"""

_KSERVE = """
import sys
import kserve, numpy, onnxruntime
import kserve.protocol.rest.server as rest
from kserve.utils.utils import generate_uuid
plain = rest.uvicorn.Config  # it would listen on every address of the machine
rest.uvicorn.Config = lambda app, host, **more: plain(app, host="127.0.0.1", **more)
class Iris(kserve.Model):
    def load(self):
        self.session = onnxruntime.InferenceSession("model.onnx")
        self.ready = True
        return True
    def predict(self, payload, headers=None):
        labels, scores = self.session.run(None, {"X": payload.inputs[0].as_numpy()})
        return kserve.InferResponse(payload.id or generate_uuid(), self.name, [
            kserve.InferOutput("label", list(labels.shape), "INT64", labels.tolist()),
            kserve.InferOutput("probabilities", list(scores.shape), "FP32",
                               scores.ravel().tolist()),
        ])
model = Iris("iris")
model.load()
kserve.ModelServer(http_port=int(sys.argv[1]), workers=1, enable_grpc=False,
                   enable_latency_logging=False).start([model])
"""

_MLSERVER = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
class Iris(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession("model.onnx")
        return True
    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0])
        labels, scores = self.session.run(None, {"X": rows})
        return InferenceResponse(model_name=self.name, outputs=[
            NumpyCodec.encode_output("label", labels),
            NumpyCodec.encode_output("probabilities", scores),
        ])
"""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """How one server is started in `folder`, asked, and known to be right."""

    name: str
    path: str
    prepare: Callable[[Path, int], list[str]]
    environment: Callable[[Path, int], Mapping[str, str]] = lambda *_: {}
    body: bytes = field(default=json.dumps(V2).encode())
    is_model: bool = True


def peers() -> list[Peer]:
    """All of them; Slipway first."""
    return [
        Peer(
            name="Slipway", path=_INFER,
            prepare=lambda *_: [sys.executable, "-m", "slipway_runtime", "serve"],
            environment=_slipway_environment,
        ),
        _bare("uvloop"),
        _bare("asyncio"),
        Peer(
            name="BentoML", path="/infer", prepare=_prepare_bento,
            environment=lambda folder, _: {
                "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True",
            },
            body=json.dumps({"data": [VALUES]}).encode(),
        ),
        Peer(name="MLServer 1.7.1", path=_INFER, prepare=_prepare_mlserver),
        Peer(name="KServe SDK 0.21.0", path=_INFER, prepare=_prepare_kserve),
    ]  # fmt: skip


def _bare(loop: str) -> Peer:
    def prepare(folder: Path, port: int) -> list[str]:
        return [sys.executable, _write(folder, "bare.py", _BARE), str(port), loop]

    return Peer(name=f"bare granian on {loop}", path="/", prepare=prepare, is_model=False)


def _slipway_environment(folder: Path, port: int) -> Mapping[str, str]:
    return {
        "SLIPWAY_MODEL_DIR": str(folder), "SLIPWAY_MODEL_NAME": "iris",
        "SLIPWAY_BIND": "127.0.0.1", "SLIPWAY_PORT_HTTP": str(port),
        "SLIPWAY_PORT_METRICS": str(free_port()),
    }  # fmt: skip


def _prepare_bento(folder: Path, port: int) -> list[str]:
    _write(folder, "service.py", _BENTO)
    bentoml = str(Path(sys.executable).with_name("bentoml"))
    return [bentoml, "serve", "service:Iris", "--host", "127.0.0.1", "--port", str(port)]


def _prepare_kserve(folder: Path, port: int) -> list[str]:
    return [_python("kserve", "0.21.0"), _write(folder, "kserve_iris.py", _KSERVE), str(port)]


def _prepare_mlserver(folder: Path, port: int) -> list[str]:
    python = _python("mlserver", "1.7.1")
    _write(folder, "mlserver_iris.py", _MLSERVER)
    server = {
        "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(),
        "metrics_port": free_port(), "parallel_workers": 0, "debug": False,
    }  # fmt: skip
    model = {"name": "iris", "implementation": "mlserver_iris.Iris"}
    _write(folder, "settings.json", json.dumps(server))
    _write(folder, "model-settings.json", json.dumps(model))
    return [str(Path(python).with_name("mlserver")), "start", "."]


def _write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


def _python(package: str, version: str) -> str:
    """The interpreter of an environment with this package and our version of onnxruntime."""
    from importlib.metadata import version as installed

    cache = Path(os.environ.get("SLIPWAY_CACHE", Path.home() / ".cache/slipway"))
    folder = cache / "bench" / f"{package}-{version}"
    python = folder / "bin/python"
    ready = folder / ".ready"
    if not ready.exists():
        print(f"· installing {package} {version} into {folder}", file=sys.stderr)
        uv = os.environ.get("UV", "uv")  # `uv run` says where it is
        subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
        wanted = [f"{package}=={version}", f"onnxruntime=={installed('onnxruntime')}"]
        subprocess.run([uv, "pip", "install", "-q", "-p", python, *wanted], check=True)
        ready.touch()
    return str(python)
