"""Pickles that attack whoever opens them, each with the name that must be told.

The list holds every way past picklescan and fickling that was published up to October 2026 (their
advisories and issue lists), by what it calls. What they run is harmless: they touch a file.
"""

import bz2
import gzip
import io
import lzma
import pickle
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np

from hostile_assembler import Call, Ref, assemble, call, encode, text

_TOUCH = "touch {trace}"
_CODE = "open({trace!r}, 'w').close()"
_FILE = "/nowhere/x"


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A file's bytes for a trace that must never appear, and what the refusal must name."""

    make: Callable[[str], bytes]
    names: str


def _simple(path: str, *arguments: Any, names: str | None = None) -> Payload:
    def _make(trace: str) -> bytes:
        return assemble(call(path, *(_fill(one, trace) for one in arguments)))

    return Payload(make=_make, names=names or path.replace(":", "."))


def _fill(value: Any, trace: str) -> Any:
    if value == _TOUCH:
        return f"touch {trace}"
    if value == _CODE:
        return f"open({trace!r}, 'w').close()"
    if isinstance(value, tuple | list):
        return type(value)(_fill(one, trace) for one in value)
    if isinstance(value, Call):
        return Call(value.function, _fill(value.arguments, trace))
    return value


# ── by what is called ────────────────────────────────────────────────────────────────────────
_SHELL = ["sh", "-c", _TOUCH]
_ROWS: list[tuple[Any, ...]] = [
    ("os:system", _TOUCH),
    ("posix:system", _TOUCH),
    ("nt:system", _TOUCH),
    ("os:popen", _TOUCH),
    ("os:execv", "/bin/sh", _SHELL),
    ("os:fork",),
    ("os:kill", 1, 0),
    ("subprocess:Popen", _SHELL),
    ("subprocess:check_output", _SHELL),
    ("_posixsubprocess:fork_exec",),
    ("builtins:eval", _CODE),
    ("builtins:exec", _CODE),
    ("builtins:compile", _CODE, "x", "exec"),
    ("builtins:__import__", "os"),
    ("builtins:getattr", call("builtins:__import__", "os"), "system"),
    ("builtins:open", "/etc/passwd"),
    ("builtins:breakpoint",),
    ("builtins:globals",),
    ("builtins:map", Ref("os", "system"), [_TOUCH]),
    ("builtins:str.format", "{0.__class__}", 1),
    ("builtins:type", "T", (), {}),
    ("pip:main", ["install", "x"]),
    ("pip._internal.cli.main:main", ["install", "x"]),
    ("ensurepip:_run_pip", ["install", "x"]),
    ("asyncio.unix_events:_UnixSubprocessTransport._start", None, _SHELL),
    ("asyncio.subprocess:create_subprocess_shell", _TOUCH),
    ("timeit:timeit", _CODE),
    ("cProfile:runctx", _CODE, {}, {}),
    ("cProfile:run", _CODE),
    ("profile:Profile.runctx", None, _CODE, {}, {}),
    ("profile:run", _CODE),
    ("bdb:Bdb.run", call("bdb:Bdb"), _CODE),
    ("pdb:run", _CODE),
    ("trace:Trace.run", call("trace:Trace"), _CODE),
    ("doctest:debug_script", _CODE),
    ("pty:spawn", _SHELL),
    ("runpy:_run_code", _CODE, {}),
    ("runpy:run_path", _FILE),
    ("pydoc:pipepager", "x", _TOUCH),
    ("pydoc:locate", "os.system"),
    ("pkgutil:resolve_name", "os:system"),
    ("importlib:import_module", "os"),
    ("importlib.util:find_spec", "os"),
    ("marshal:loads", b"\xe3"),
    ("types:CodeType",),
    ("types:FunctionType",),
    ("code:InteractiveInterpreter.runcode", None, None),
    ("codeop:compile_command", _CODE),
    ("ctypes:CDLL", None),
    ("ctypes:pythonapi.PyRun_SimpleString", b"pass"),
    ("operator:attrgetter", "system"),
    ("_operator:methodcaller", "system", _TOUCH),
    ("functools:reduce", Ref("os", "system"), [_TOUCH]),
    ("functools:partial", Ref("os", "system"), _TOUCH),
    ("numpy.testing._private.utils:runstring", _CODE, {}),
    ("numpy.f2py.crackfortran:getlincoef", _CODE, {}),
    ("numpy.f2py.crackfortran:param_eval", _CODE, {}, {}),
    ("numpy:load", "/etc/passwd"),
    ("numpy:fromfile", "/etc/passwd"),
    ("numpy:save", _CODE, 1),
    ("numpy:__builtins__",),
    ("numpy:core._internal.sys.modules",),
    ("numpy:ndarray.tofile", None, _FILE),
    ("pandas:eval", "1"),
    ("pandas.core.computation.eval:eval", "1"),
    ("pandas.io.pickle:read_pickle", _FILE),
    ("joblib:load", _FILE),
    ("joblib.numpy_pickle:load", _FILE),
    ("joblib.externals.loky.process_executor:ProcessPoolExecutor",),
    ("sklearn.datasets._base:load_files", "/etc"),
    ("sklearn.datasets._openml:urlopen", "http://127.0.0.1:1"),
    ("sklearn.utils._testing:check_call", _SHELL),
    ("sklearn.utils.validation:warnings.sys.modules",),
    ("joblib.parallel:Parallel",),
    ("sklearn.base:pickle.loads", b""),
    ("scipy.sparse._base:np.load", _FILE),
    ("skops.io:load", _FILE),
    ("pickle:loads", pickle.dumps(1)),
    ("_pickle:loads", pickle.dumps(1)),
    ("dill:loads", b""),
    ("cloudpickle.cloudpickle:_make_function",),
    ("cloudpickle.cloudpickle:subimport", "os"),
    ("joblib.externals.cloudpickle.cloudpickle:_builtin_type", "CodeType"),
    ("shelve:open", _FILE),
    ("torch:load", _FILE),
    ("torch.serialization:load", _FILE),
    ("torch.jit.unsupported_tensor_ops:execWrapper", _CODE, {}, {}),
    ("torch.utils.bottleneck.__main__:run_cprofile", _CODE, {}),
    ("torch.utils.bottleneck.__main__:run_autograd_prof", _CODE, {}),
    ("torch.utils._config_module:ConfigModule.load_config", None, b""),
    ("torch.utils.collect_env:run", _TOUCH),
    ("torch.utils.data.datapipes.utils.decoder:basichandlers", "pkl", b""),
    ("torch._dynamo.guards:GuardBuilder.get", None, _CODE),
    ("torch._inductor.codecache:compile_file", "", "", _SHELL),
    ("torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression", None, _CODE),
    ("idlelib.pyshell:ModifiedInterpreter.runcode", None, None),
    ("idlelib.pyshell:ModifiedInterpreter.runcommand", None, _CODE),
    ("idlelib.run:Executive.runcode", None, None),
    ("idlelib.autocomplete:AutoComplete.get_entity", None, _CODE),
    ("idlelib.autocomplete:AutoComplete.fetch_completions", None, _CODE, 1),
    ("idlelib.calltip:get_entity", _CODE),
    ("idlelib.calltip:Calltip.fetch_tip", None, _CODE),
    ("idlelib.debugobj:ObjectTreeItem.SetText", None, _CODE),
    ("lib2to3.pgen2.grammar:Grammar.loads", None, b""),
    ("lib2to3.pgen2.pgen:ParserGenerator.make_label", None, None, _CODE),
    ("imaplib:IMAP4_stream", _TOUCH),
    ("uuid:_get_command_stdout", "touch", _TOUCH),
    ("_osx_support:_read_output", _TOUCH),
    ("_aix_support:_read_cmd_output", _TOUCH),
    ("_pyrepl.pager:pipe_pager", "x", _TOUCH),
    ("test.support.script_helper:assert_python_ok", "-c", _CODE),
    ("venv:create", _FILE),
    ("webbrowser:open", "http://127.0.0.1:1"),
    ("distutils.file_util:write_file", _FILE, ["x"]),
    ("shutil:rmtree", _FILE),
    ("io:FileIO", "/etc/passwd"),
    ("_io:FileIO", "/etc/passwd"),
    ("pathlib:Path.write_text", call("pathlib:Path", _FILE), "x"),
    ("logging:FileHandler", _FILE),
    ("logging.config:dictConfig", {}),
    ("socket:create_connection", ("127.0.0.1", 1)),
    ("ssl:get_server_certificate", ("127.0.0.1", 1)),
    ("urllib.request:urlopen", "http://127.0.0.1:1"),
    ("http.client:HTTPSConnection", "127.0.0.1"),
    ("requests.api:get", "http://127.0.0.1:1"),
    ("aiohttp.client:ClientSession",),
    ("httpx:get", "http://127.0.0.1:1"),
    ("sys:modules.get", "os"),
    ("sys:settrace", None),
    ("signal:alarm", 1),
    ("threading:Thread",),
    ("gc:get_objects",),
    ("atexit:register", Ref("builtins", "abs")),
    ("antigravity:fly",),
    ("sqlite3:connect", _FILE),
    ("multiprocessing.util:spawnv_passfds", b"/bin/sh", [], ()),
    ("bentoml:load", "x"),
    ("slipway_runtime.sandbox.parent:run_sandboxed",),
    ("onnxruntime:InferenceSession", _FILE),
    ("setuptools:sandbox.run_setup", _FILE),
    ("our_company.models:os.system", _TOUCH),
    ("our_company.models:subprocess",),
    ("our_company.models:Net.__init__.__globals__",),
    ("__main__:os.system", _TOUCH),
    ("__main__:__builtins__",),
]
# What must be told where it is not the function itself.
_NAMED = {"functools:partial": "os.system", "builtins:getattr": "builtins.__import__"}
DIRECT = {
    row[0].replace(":", "."): _simple(row[0], *row[1:], names=_NAMED.get(row[0])) for row in _ROWS
}


# ── by how it is written ─────────────────────────────────────────────────────────────────────
def _argument(trace: str) -> bytes:
    return encode((f"touch {trace}",)) + b"R"


def _memo_confusion(trace: str) -> bytes:
    """PUT and MEMOIZE share one memo: a scanner that follows one sees harmless names."""
    body = text("os") + b"q\x00" + b"0" + text("system") + b"q\x01" + b"0"
    body += text("collections") + b"\x94" + b"0" + text("OrderedDict") + b"\x94" + b"0"
    return assemble(body + b"h\x00h\x01\x93" + _argument(trace))


def _far_strings(trace: str) -> bytes:
    """The operands of STACK_GLOBAL are not the two texts before it."""
    body = text("os") + text("system") + text("collections") + text("OrderedDict") + b"00\x93"
    return assemble(body + _argument(trace))


def _overwritten_memo(trace: str) -> bytes:
    body = text("collections") + b"q\x05" + b"0" + text("os") + b"q\x05" + b"0"
    return assemble(body + b"h\x05" + text("system") + b"\x93" + _argument(trace))


def _computed_name(trace: str) -> bytes:
    return assemble(call("builtins:str", "os"), text("system") + b"\x93" + _argument(trace))


def _popped_by_mark(trace: str) -> bytes:
    body = text("os") + b"(" + text("collections") + b"1" + text("system") + b"\x93"
    return assemble(body + _argument(trace))


def _before_garbage(trace: str) -> bytes:
    """Runs first and breaks later: a scanner that wants the whole file sees nothing."""
    return assemble(call("os:system", f"touch {trace}"))[:-1] + b"X\xff\xff\xff\x7f."


def _second(trace: str) -> bytes:
    return pickle.dumps({"a": 1}) + assemble(call("os:system", f"touch {trace}"))


def _joblib_objects(trace: str) -> bytes:
    """In the pickle that lies inside an array of objects."""
    stream = io.BytesIO()
    joblib.dump({"a": np.zeros(3), "b": np.array([_Reduced(trace)], dtype=object)}, stream)
    return stream.getvalue()


class _Reduced:
    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.trace}",)


def _joblib(array: np.ndarray[Any, Any], tail: bytes) -> bytes:
    stream = io.BytesIO()
    joblib.dump([array], stream)
    content = stream.getvalue()
    assert content.endswith(b"a.")
    return content[:-2] + tail + b"a."


def _behind_array(trace: str) -> bytes:
    return _joblib(np.arange(5.0), assemble(call("os:system", f"touch {trace}"))[2:-1])


def _inside_array(trace: str) -> bytes:
    """An array that says it is shorter than what was written: the rest is read as opcodes."""
    code = assemble(call("os:system", f"touch {trace}"))[2:-1]
    content = _joblib(np.frombuffer(code.ljust(len(code) + -len(code) % 8, b"0"), np.uint8), b"")
    size = len(code) + -len(code) % 8
    shape = b"K" + bytes([size]) + b"\x85"
    assert content.count(shape) == 1
    return content.replace(shape, b"K\x00\x85")


def _frame_over_array(trace: str) -> bytes:
    """A frame that reaches over the array: the unpickler takes the array from behind the frame."""
    stream = io.BytesIO()
    joblib.dump([np.arange(4.0)], stream, protocol=4)
    content = bytearray(stream.getvalue())
    at = content.index(b"\x95")
    size = int.from_bytes(content[at + 1 : at + 9], "little")
    content[at + 1 : at + 9] = (size + 8).to_bytes(8, "little")
    return bytes(content[:-1]) + assemble(call("os:system", f"touch {trace}"))[2:]


def _tricks() -> Iterator[tuple[str, Callable[[str], bytes], str]]:
    system = "os.system"
    plain = assemble(call("os:system", "true"))
    yield "protocol 0", lambda t: b"cos\nsystem\n(S'touch " + t.encode() + b"'\ntR.", system
    yield "INST", lambda t: assemble(b"(", f"touch {t}", b"ios\nsystem\n"), system
    yield "OBJ", lambda t: assemble(b"(cos\nsystem\n", f"touch {t}", b"o"), system
    yield (
        "NEWOBJ",
        lambda t: assemble(b"csubprocess\nPopen\n", (["sh"],), b"\x81"),
        "subprocess.Popen",
    )
    yield (
        "NEWOBJ_EX",
        lambda t: assemble(Ref("subprocess", "Popen"), (["sh"],), {}, b"\x92"),
        "subprocess.Popen",
    )
    yield (
        "Python 2 name",
        lambda t: assemble(b"c__builtin__\neval\n", ("1",), b"R", protocol=2),
        "builtins.eval",
    )
    yield (
        "Python 2 module",
        lambda t: assemble(b"ccommands\ngetoutput\n", (f"touch {t}",), b"R", protocol=2),
        "subprocess.getoutput",
    )
    yield "memo confusion", _memo_confusion, system
    yield "far strings", _far_strings, system
    yield "overwritten memo", _overwritten_memo, system
    yield "popped by mark", _popped_by_mark, system
    yield "computed name", _computed_name, "a name that it computes"
    yield "escaped name", lambda t: assemble(b"V\\u006fs\nVsystem\n\x93" + _argument(t)), system
    yield (
        "eight-byte lengths",
        lambda t: assemble(
            b"\x8d" + (2).to_bytes(8, "little") + b"os" + b"\x8c\x06system\x93" + _argument(t)
        ),
        system,
    )
    yield "byte strings", lambda t: assemble(b"U\x02osU\x06system\x93" + _argument(t)), system
    yield "never called", lambda t: assemble(Ref("os", "system")), system
    yield "thrown away", lambda t: assemble(call("os:system", f"touch {t}"), b"0", 1), system
    yield "extension code", lambda t: assemble(b"\x82\x01"), "extension 1"
    yield (
        "changed function",
        lambda t: assemble(Ref("numpy", "prod"), (None, {"x": 1}), b"b"),
        "numpy.prod",
    )
    yield (
        "changed class",
        lambda t: assemble(
            Ref("sklearn.pipeline", "Pipeline"), (None, {"predict": Ref("builtins", "abs")}), b"b"
        ),
        "sklearn.pipeline.Pipeline",
    )
    yield (
        "calls what it made",
        lambda t: assemble(Call(call("functools:partial", Ref("builtins", "abs")), (1,))),
        "something that it made itself",
    )
    yield "before garbage", _before_garbage, system
    yield "cut short", lambda t: assemble(call("os:system", f"touch {t}"))[:-1] + b"(.", system
    yield (
        "unknown opcode",
        lambda t: assemble(call("os:system", f"touch {t}"))[:-1] + b"\xff.",
        system,
    )
    yield "second pickle", _second, system
    yield "array of objects", _joblib_objects, "posix.system"
    yield "behind an array", _behind_array, system
    yield "inside an array", _inside_array, system
    yield "zlib", lambda t: zlib.compress(plain), system
    yield "gzip", lambda t: gzip.compress(plain), system
    yield "two gzip members", lambda t: gzip.compress(plain[:9]) + gzip.compress(plain[9:]), system
    yield "bz2", lambda t: bz2.compress(plain), system
    yield "xz", lambda t: lzma.compress(plain), system
    yield "lzma", lambda t: lzma.compress(plain, format=lzma.FORMAT_ALONE), system


TRICKS: dict[str, Payload] = {
    name: Payload(make=make, names=names) for name, make, names in _tricks()
}
# Not followed to the end, so not opened: there is no name to tell.
UNFOLLOWED: dict[str, Callable[[str], bytes]] = {
    "frame over an array": _frame_over_array,
    "garbage behind": lambda t: pickle.dumps({"a": 1}) + b"\xfe\xfe.",
    "persistent object": lambda t: assemble(b"Pid\n"),
    "name with a space": lambda t: assemble(b"cos system\nx\n(tR"),
    "memo that is empty": lambda t: assemble(b"h\x07"),
    "frame in a frame": lambda t: assemble(
        b"\x95" + (12).to_bytes(8, "little") + b"\x95" + (1).to_bytes(8, "little") + b"N"
    ),
    "length that lies": lambda t: assemble(b"\x8e" + (1 << 40).to_bytes(8, "little") + b"N"),
}
CORPUS = DIRECT | TRICKS
