"""The stack and the memo of an unpickler, holding values that nobody looks into.

One method an opcode, named after it; those that import, call or read are in `pickle_walk`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from slipway_runtime.scan.values import MARK, OPAQUE, Value

_AS_IT_IS: Final = (
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
)  # fmt: skip
_NOT_LOOKED_AT: Final = (
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "NEXT_BUFFER", "FLOAT", "BINFLOAT",
    "EMPTY_LIST", "EMPTY_SET",
)  # fmt: skip
_CONSTANTS: Final[dict[str, Any]] = {
    "NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": MARK,
}  # fmt: skip


class Stack:
    """What an unpickler holds while it reads."""

    def __init__(self) -> None:
        self._stack: list[Value] = []
        self._memo: dict[int, Value] = {}

    def moves(self) -> dict[str, Callable[[Any], None]]:
        """What each opcode does, called with its argument.

        They raise ValueError, IndexError or TypeError where the unpickler would stop.
        """
        moves: dict[str, Callable[[Any], None]] = dict.fromkeys(_AS_IT_IS, self._stack.append)
        constants = {**_CONSTANTS, **dict.fromkeys(_NOT_LOOKED_AT, OPAQUE)}
        moves |= {name: partial(self._push, value) for name, value in constants.items()}
        for name in dir(self):
            if name.startswith("_op_"):
                moves[name.removeprefix("_op_")] = getattr(self, name)
        return moves

    def _push(self, value: Value, _: object) -> None:
        self._stack.append(value)

    def _keep(self, items: Iterable[Value]) -> None:
        """Values go into something else, out of sight."""

    def _pop(self) -> Value:
        value = self._stack.pop()
        if value is MARK:
            raise ValueError("a value is missing behind a mark")
        return value

    def _top(self) -> Value:
        if self._stack[-1] is MARK:
            raise ValueError("a value is missing behind a mark")
        return self._stack[-1]

    def _pop_mark(self) -> list[Value]:
        at = len(self._stack) - 1
        while self._stack[at] is not MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark on the stack")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        self._keep(items)
        return items

    def _op_READONLY_BUFFER(self, _: None) -> None:
        self._top()

    def _op_EMPTY_DICT(self, _: None) -> None:
        self._stack.append({})

    def _op_POP(self, _: None) -> None:
        self._stack.pop()  # a mark, too

    def _op_DUP(self, _: None) -> None:
        self._stack.append(self._top())

    def _op_PUT(self, argument: int) -> None:
        self._memo[int(argument)] = self._top()

    _op_BINPUT = _op_LONG_BINPUT = _op_PUT

    def _op_MEMOIZE(self, _: None) -> None:
        self._memo[len(self._memo)] = self._top()

    def _op_GET(self, argument: int) -> None:
        if int(argument) not in self._memo:
            raise ValueError("it takes out what it never put away")
        self._stack.append(self._memo[int(argument)])

    _op_BINGET = _op_LONG_BINGET = _op_GET

    def _op_POP_MARK(self, _: None) -> None:
        self._pop_mark()

    def _op_LIST(self, _: None) -> None:
        self._pop_mark()
        self._stack.append(OPAQUE)

    _op_FROZENSET = _op_LIST

    def _op_APPENDS(self, _: None) -> None:
        self._pop_mark()
        self._top()

    _op_ADDITEMS = _op_APPENDS

    def _op_TUPLE(self, _: None) -> None:
        self._stack.append(tuple(self._pop_mark()))

    def _small_tuple(self, count: int) -> None:
        items = tuple(self._pop() for _ in range(count))[::-1]
        self._keep(items)
        self._stack.append(items)

    def _op_TUPLE1(self, _: None) -> None:
        self._small_tuple(1)

    def _op_TUPLE2(self, _: None) -> None:
        self._small_tuple(2)

    def _op_TUPLE3(self, _: None) -> None:
        self._small_tuple(3)

    def _op_APPEND(self, _: None) -> None:
        self._keep([self._pop()])

    def _op_DICT(self, _: None) -> None:
        items = self._pop_mark()
        self._stack.append({})
        self._set_items(items)

    def _op_SETITEM(self, _: None) -> None:
        value, key = self._pop(), self._pop()
        self._keep([value])
        self._set_items([key, value])

    def _op_SETITEMS(self, _: None) -> None:
        self._set_items(self._pop_mark())

    def _set_items(self, items: list[Value]) -> None:
        target = self._top()
        if isinstance(target, dict):
            pairs = zip(items[::2], items[1::2], strict=True)
            target.update((key, value) for key, value in pairs if isinstance(key, str))
