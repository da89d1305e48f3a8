"""Runs ONNX models in a process apart: onnxruntime is native code, and a model may crash it.

`serve` is that process, shut in like the build; `run_apart` is what the build calls instead of
`run_session`. Whoever started both (`steps.beside`) says over the same channel how a crash ended.
"""

import signal
import socket
from typing import Any

import msgspec

from slipway_runtime.convert.session import (
    Answered,
    Feeds,
    Runner,
    SessionCrashed,
    SessionFailed,
    TensorInfo,
    run_session,
)
from slipway_runtime.native.frames import (
    MAX_FRAME_BYTES,
    Closed,
    Tensor,
    pack,
    receive,
    send,
    unpack,
)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and the rows to answer; `feeds` None: only say what it takes and gives."""

    content: bytes
    feeds: tuple[Tensor, ...] | None
    measure: bool


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: answers, onnxruntime's refusal, or how the process ended."""

    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    answers: tuple[Tensor, ...] = ()
    latency_milliseconds: dict[str, float] = {}
    memory_bytes: int = 0
    failure: str | None = None
    crash: str | None = None  # one of BUILD_REASONS; `failure` then says more


def serve(argument: dict[str, Any]) -> None:
    """Answer until the channel closes; `argument` has `channel` and `seconds`, for one model."""
    channel = socket.socket(fileno=int(argument["channel"]))
    while True:
        try:
            ask = receive(channel, Ask)
        except Closed:
            return
        signal.alarm(int(argument["seconds"]))  # SIGALRM is left to kill: native code never looks
        told = _answer(ask)
        signal.alarm(0)
        send(channel, told)


def run_apart(channel: socket.socket) -> Runner:
    """Give a runner that asks the process at the other end of `channel`."""

    def run(content: bytes, feeds: Feeds | None, *, measure: bool = False) -> Answered:
        if len(content) > MAX_FRAME_BYTES // 2:
            raise SessionFailed(f"it has {len(content)} bytes > limit {MAX_FRAME_BYTES // 2}")
        packed = None
        if feeds is not None:
            packed = tuple(pack(name, values) for name, values in feeds.items())
        try:
            send(channel, Ask(content=content, feeds=packed, measure=measure))
            told = receive(channel, Told)
        except Closed as error:
            raise SessionCrashed("ModelRejected", "onnxruntime's process is gone") from error
        if told.crash is not None:
            raise SessionCrashed(told.crash, told.failure or "onnxruntime's process ended")
        if told.failure is not None:
            raise SessionFailed(told.failure)
        return Answered(
            inputs=told.inputs,
            outputs=told.outputs,
            answers={tensor.name: unpack(tensor) for tensor in told.answers},
            latency_milliseconds=told.latency_milliseconds,
            memory_bytes=told.memory_bytes,
        )

    return run


def _answer(ask: Ask) -> Told:
    feeds = None if ask.feeds is None else {one.name: unpack(one) for one in ask.feeds}
    try:
        answered = run_session(ask.content, feeds, measure=ask.measure)
    except SessionFailed as error:
        return Told(failure=str(error))
    return Told(
        inputs=answered.inputs,
        outputs=answered.outputs,
        answers=tuple(pack(name, values) for name, values in answered.answers.items()),
        latency_milliseconds=answered.latency_milliseconds,
        memory_bytes=answered.memory_bytes,
    )
