"""The model worker: opens the original model, shut in, and answers frames until its parent ends.

Started by `serving.native` through the sandbox; the channel is an inherited socketpair.
"""

import json
import socket
from pathlib import Path
from typing import Any

from slipway_runtime.errors import BuildError
from slipway_runtime.native.frames import Closed, Reply, Request, pack, receive, send, unpack
from slipway_runtime.native.model import NativeModel
from slipway_runtime.serving.core.faults import ModelInvalid, RequestFault


def serve(argument: dict[str, Any]) -> None:
    """Answer until the channel closes; `argument` has `folder`, `channel` and `unpickle`."""
    channel = socket.socket(fileno=int(argument["channel"]))
    folder = Path(argument["folder"])
    manifest = json.loads((folder / "manifest.json").read_bytes())
    try:
        model = NativeModel(folder, manifest, unpickle=argument["unpickle"])
    except (BuildError, ModelInvalid) as error:
        send(channel, Reply(number=0, error=str(error), is_fatal=True))
        return
    send(channel, Reply(number=0))
    names = [output["name"] for output in manifest["signature"]["outputs"]]
    while True:
        try:
            request = receive(channel, Request)
        except Closed:
            return
        tensors = {tensor.name: unpack(tensor) for tensor in request.tensors}
        try:
            outputs = model.run(tensors)
        except RequestFault as fault:
            send(channel, Reply(number=request.number, error=fault.message))
            continue
        packed = tuple(pack(name, output) for name, output in zip(names, outputs, strict=True))
        send(channel, Reply(number=request.number, tensors=packed))
