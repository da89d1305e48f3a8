"""A pickle's opcodes, followed without running them: which names would be imported and called.

Every opcode of protocols 0 to 5 moves an abstract stack and memo, so that a name put together from
parts is known as the real unpickler would know it. What cannot be followed is refused.
"""

import io
import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Final

from slipway_runtime.scan.arrays import array_bytes, is_wrapper, makes_wrapper
from slipway_runtime.scan.globals import judge
from slipway_runtime.scan.lists import PLAIN
from slipway_runtime.scan.stack import Stack
from slipway_runtime.scan.values import GETATTR, OPAQUE, Global, Made, Value

MAX_NESTED: Final = 8
MAX_FINDINGS: Final = 5
_CHUNK: Final = 1 << 20


class Damaged(Exception):
    """The bytes cannot be followed to a proper end.

    Args:
        why: what is wrong, as the end of a sentence.
        position: of the byte.
    """

    def __init__(self, why: str, position: int) -> None:
        super().__init__(why)
        self.why, self.position = why, position


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that no model needs: its name, why it is refused, and where it stands."""

    name: str
    why: str
    position: int


def walk_pickles(stream: IO[bytes], *, is_joblib: bool, findings: list[Finding]) -> bool:
    """Follow every pickle in the stream, to its last byte.

    Returns:
        Whether it takes a method by its name, as it may.

    Args:
        stream: readable, with `tell`; positions are counted from where it stands.
        is_joblib: arrays lie between the opcodes, as joblib writes them.
        findings: gets what was found, also when `Damaged` follows; at most `MAX_FINDINGS`.

    Raises:
        Damaged: the stream is cut short, or holds what is no pickle.
    """
    takes_methods = False
    while True:
        walk = _Walk(stream, is_joblib=is_joblib, findings=findings, depth=0)
        walk.run()
        takes_methods |= walk.takes_methods
        if len(findings) >= MAX_FINDINGS or _is_at_end(stream):
            return takes_methods


def _is_at_end(stream: IO[bytes]) -> bool:
    if isinstance(stream, io.BufferedReader):  # a decompressed stream cannot step back
        return not stream.peek(1)
    after = stream.tell()
    ended = not stream.read(1)
    stream.seek(after)
    return ended


class _Walk(Stack):
    """One pickle: its stack, its memo, and the stream it is read from."""

    def __init__(
        self, stream: IO[bytes], *, is_joblib: bool, findings: list[Finding], depth: int
    ) -> None:
        super().__init__()
        self._stream, self._is_joblib, self._depth = stream, is_joblib, depth
        self._findings = findings
        self._protocol = 0
        self._frame_end = 0
        self._position = 0
        self.takes_methods = False

    def run(self) -> None:
        """Follow the opcodes up to STOP. Raises Damaged."""
        moves = self.moves()
        try:
            for opcode, argument, position in pickletools.genops(self._stream):
                self._position = position or 0
                moves[opcode.name](argument)
                if len(self._findings) >= MAX_FINDINGS:
                    return
        except (ValueError, IndexError, TypeError, AssertionError) as error:
            # A file that ends too soon, an unknown opcode, a stack that is empty.
            text = " ".join(str(error).split())[:100] or type(error).__name__
            raise Damaged(text, self._position) from error

    def _find(self, name: str, why: str) -> None:
        if len(self._findings) < MAX_FINDINGS and name not in {one.name for one in self._findings}:
            self._findings.append(Finding(name=name, why=why, position=self._position))

    # ── names ────────────────────────────────────────────────────────────────────────────────
    def _name(self, module: object, name: object) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            self._find("(a name that it computes)", "hides what it would import")
            return Global("?", "?")
        if self._protocol < 3:  # Python 2 names, as the real unpickler maps them
            module, name = NAME_MAPPING.get((module, name), (module, name))
            module = IMPORT_MAPPING.get(module, module)
        found = Global(module, name)
        if found == GETATTR:
            self.takes_methods = True  # how it does is judged where it is called
            return GETATTR
        why = judge(module, name)
        if why is not None:
            self._find(str(found), why)
        return found

    def _op_GLOBAL(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        if not module or not name or " " in name:
            raise ValueError("a name that cannot be told from its module")
        self._stack.append(self._name(module, name))

    def _op_STACK_GLOBAL(self, _: None) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(self._name(module, name))

    def _op_INST(self, argument: str) -> None:
        self._op_GLOBAL(argument)
        made_by = self._pop()
        self._stack.append(self._call(made_by, tuple(self._pop_mark())))

    def _op_EXT1(self, argument: int) -> None:
        self._find(f"(extension {argument})", "hides what it would import")
        self._stack.append(OPAQUE)

    _op_EXT2 = _op_EXT4 = _op_EXT1

    def _op_PERSID(self, _: object) -> None:
        raise ValueError("it refers to an object outside the file")

    _op_BINPERSID = _op_PERSID

    # ── calls ────────────────────────────────────────────────────────────────────────────────
    def _call(self, function: Value, arguments: Value) -> Value:
        if function == GETATTR:
            return self._take_method(arguments)
        if not isinstance(function, Global):
            self._find("(something that it made itself)", "is called")
        elif function == Global("builtins", "type") and not _has_length(arguments, 1):
            self._find("builtins.type", "makes a class")
        return Made(function, arguments)

    def _take_method(self, arguments: Value) -> Value:
        """A method by its name: `str.lower`, or one of an object that the pickle makes."""
        target, name = arguments if _has_length(arguments, 2) else (None, None)
        if isinstance(name, str) and not name.startswith("_"):
            if isinstance(target, Global):
                return self._name(target.module, f"{target.name}.{name}")
            maker = target.by if isinstance(target, Made) else None
            if isinstance(maker, Global) and (maker.module, maker.name) not in PLAIN:
                return OPAQUE
        self._find(str(GETATTR), "takes an object apart")
        return OPAQUE

    def _keep(self, items: Iterable[Value]) -> None:
        """What is kept for later may be called where nobody looks."""
        if any(item is GETATTR for item in items):
            self._find(str(GETATTR), "takes an object apart")

    def _op_REDUCE(self, _: None) -> None:
        arguments, function = self._pop(), self._pop()
        self._stack.append(self._call(function, arguments))

    def _op_OBJ(self, _: None) -> None:
        function, *arguments = self._pop_mark()  # getattr does not come this way
        self._stack.append(self._call(function, tuple(arguments)))

    _op_NEWOBJ = _op_REDUCE

    def _op_NEWOBJ_EX(self, _: None) -> None:
        self._pop()
        self._op_REDUCE(None)

    def _op_BUILD(self, _: None) -> None:
        state, target = self._pop(), self._top()
        self._keep([state])
        if isinstance(target, Global):
            self._find(str(target), "is changed")
        if not isinstance(target, Made):
            return
        target.state = state
        if self._is_joblib and is_wrapper(target):
            self._pop()
            self._skip_array(target)
            self._stack.append(OPAQUE)
        elif makes_wrapper(target):
            self._find("joblib.numpy_pickle.NumpyArrayWrapper", "is made in no way that joblib has")

    def _skip_array(self, wrapper: Made) -> None:
        """Pass over the array's bytes, or follow the pickle that lies there instead."""
        if self._stream.tell() < self._frame_end:
            raise ValueError("an array lies inside a frame")
        count = array_bytes(wrapper, padding=lambda: self._stream.read(1))
        if count is None:
            if self._depth >= MAX_NESTED:
                raise ValueError(f"pickles are nested deeper than {MAX_NESTED}")
            inner = _Walk(
                self._stream, is_joblib=False, findings=self._findings, depth=self._depth + 1
            )
            inner.run()
            self.takes_methods |= inner.takes_methods
            return
        while count:
            chunk = self._stream.read(min(count, _CHUNK))
            if not chunk:
                raise ValueError("an array is cut short")
            count -= len(chunk)

    # ── structure ────────────────────────────────────────────────────────────────────────────
    def _op_PROTO(self, argument: int) -> None:
        self._protocol = argument

    def _op_FRAME(self, argument: int) -> None:
        here = self._stream.tell()
        if here < self._frame_end:
            raise ValueError("a frame begins inside another")
        self._frame_end = here + argument

    def _op_STOP(self, _: None) -> None:
        self._keep([self._pop()])
        if self._stream.tell() < self._frame_end:
            raise ValueError("it ends inside a frame")


def _has_length(value: Value, length: int) -> bool:
    return isinstance(value, tuple) and len(value) == length
