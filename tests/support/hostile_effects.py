"""What a model's code may try once it runs: Python that attacks, and how each must end.

Placeholders: `trace` a file that must never appear, `secret` a planted file, `port` a listener,
`parent` a process that must live, `engine` the engine's folder.
"""

import pickle
from pathlib import Path
from typing import Any

# Every attack ends in one of these words; only the sandbox stands in its way.
EFFECTS: dict[str, tuple[str, set[str]]] = {
    "run a command": ("import os\nassert os.system('touch {trace}') == 0", {"ModelUnreadable"}),
    "start a program": (
        "import subprocess; subprocess.run(['/bin/touch', '{trace}'])",
        {"ModelUnsafe"},
    ),
    "replace itself": (
        "import os; os.execv('/bin/touch', ['touch', '{trace}'])",
        {"ModelUnsafe"},
    ),
    "spawn": (
        "import os; os.posix_spawn('/bin/touch', ['touch', '{trace}'], {{}})",
        {"ModelUnsafe"},
    ),
    "fork": ("import os; os.fork()", {"ModelUnsafe"}),
    "fork bomb": (
        "import os\nmade = 0\n"
        "for _ in range(10000):\n"
        "    try: made += bool(os.fork())\n"
        "    except OSError: pass\n"
        "raise PermissionError(made)",
        {"ModelUnsafe"},
    ),
    "connect": ("import socket; socket.create_connection(('127.0.0.1', {port}))", {"ModelUnsafe"}),
    "send a datagram": (
        "import socket; socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {port}))",
        {"ModelUnsafe"},
    ),
    "fetch": (
        "import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/')",
        {"ModelUnreadable"},
    ),
    "listen": ("import socket; socket.create_server(('127.0.0.1', 0))", {"ModelUnsafe"}),
    "read a secret": ("raise SystemExit(open('{secret}').read())", {"ModelUnsafe"}),
    "read passwords": ("open('/etc/passwd').read()", {"ModelUnsafe"}),
    "read the parent": ("open('/proc/{parent}/environ').read()", {"ModelUnsafe"}),
    "read the engine's store": ("import os; os.listdir('{engine}')", {"ModelUnsafe"}),
    "look for credentials": (
        "import os\nassert not [name for name in os.environ if 'SLIPWAY' in name], 'found'\n"
        "raise PermissionError('none')",
        {"ModelUnsafe"},
    ),
    "write outside": ("open('{trace}', 'w').write('x')", {"ModelUnsafe"}),
    "write through a link": (
        "import os\nlink = os.environ['HOME'] + '/link'\n"
        "os.symlink(os.path.dirname('{trace}'), link)\nopen(link + '/trace', 'w')",
        {"ModelUnsafe"},
    ),
    "open to all": ("import os; os.chmod('{secret}', 0o777)", {"ModelUnsafe"}),
    "empty a file": ("import os; os.truncate('{secret}', 0)", {"ModelUnsafe"}),
    "delete a file": ("import os; os.unlink('{secret}')", {"ModelUnsafe"}),
    "change a library": ("import os; open(os.__file__, 'a').write('x')", {"ModelUnsafe"}),
    "kill a neighbour": ("import os; os.kill({parent}, 9)", {"ModelUnsafe"}),
    "kill the step": ("import os; os.kill(os.getppid(), 9)", {"ModelUnsafe"}),
    "kill all": ("import os; os.kill(-1, 9)", {"ModelUnsafe"}),
    "signal by descriptor": (
        "import fcntl, os, socket\na, b = socket.socketpair()\n"
        "fcntl.fcntl(a, fcntl.F_SETOWN, {parent})",
        {"ModelUnsafe"},
    ),
    "ptrace": (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.ptrace(16, {parent}, 0, 0): raise OSError(ctypes.get_errno(), 'ptrace')",
        {"ModelUnsafe"},
    ),
    "crash": ("import ctypes; ctypes.string_at(0)", {"ModelRejected"}),
    "leave": ("import os; os._exit(0)", {"ModelRejected"}),
    "interrupt": ("raise KeyboardInterrupt", {"ModelRejected"}),
    "eat memory": ("held = [bytearray(1 << 26) for _ in range(1000)]", {"OutOfMemory"}),
    "fill the disk with one file": (
        "import os; open(os.environ['HOME'] + '/big', 'wb').write(bytes(64 << 20))",
        {"DiskFull"},
    ),
    "fill the disk with many": (
        "import os, time\n"
        "for n in range(1000): open(os.environ['HOME'] + f'/{{n}}', 'wb').write(bytes(1 << 20))\n"
        "time.sleep(60)",
        {"DiskFull"},
    ),
    "fill the disk with deleted files": (
        "import os\nheld, path = [], os.environ['HOME'] + '/gone'\n"
        "for _ in range(200):\n"
        "    held.append(open(path, 'wb', buffering=0)); os.unlink(path)\n"
        "    held[-1].write(bytes(1 << 20))\n"
        "__import__('time').sleep(60)",
        {"DiskFull"},
    ),
    "sleep for ever": ("__import__('time').sleep(1000)", {"DeadlineExceeded"}),
    "count for ever": ("while True: pass", {"DeadlineExceeded"}),
}  # fmt: skip


class _Runs:
    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.code, {})


def write_runs(path: Path, code: str) -> Path:
    """A model file whose opening runs `code`, whatever it is that opens it."""
    path.write_bytes(pickle.dumps(_Runs(code)))
    return path
