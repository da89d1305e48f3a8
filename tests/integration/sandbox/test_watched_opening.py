"""The same rules held against the real unpickler: what the walk might miss runs neither."""

import json
from pathlib import Path

from hostile_pickles import CORPUS
from sandbox_probe import probe_policy, run_code

# No global that is refused, but a use of one that is not: only the walk before sees it.
ONLY_THE_WALK_SEES = {
    "builtins.type", "extension code", "changed function", "changed class", "calls what it made",
    "second pickle", "inside an array",
    "two gzip members",  # joblib 1.5 cannot read them: it asks for memory without end
}  # fmt: skip


def test_every_refused_name_stops_the_unpickler(tmp_path: Path) -> None:
    inputs, scratch = tmp_path / "inputs", tmp_path / "scratch"
    inputs.mkdir()
    scratch.mkdir()
    names = [name for name in CORPUS if name not in ONLY_THE_WALK_SEES]
    for number, name in enumerate(names):
        (inputs / str(number)).write_bytes(CORPUS[name].make(str(scratch / "trace")))
    code = f"""
import joblib, pickle
from slipway_runtime.errors import BuildError
from slipway_runtime.scan import watch_globals
ends = []
for number in range({len(names)}):
    with watch_globals(lambda name, why: BuildError("ModelUnsafe", name + " " + why)):
        try:
            joblib.load(f"{inputs}/{{number}}")
            ends.append("opened")
        except BuildError as error:
            ends.append("refused")
        except BaseException as error:
            ends.append(repr(error))
pickle.loads(pickle.dumps(json.loads))  # outside the block nothing is watched
json.dump(ends, open({str(scratch / "ends")!r}, "w"))
"""
    ended = run_code(code, probe_policy(scratch, read=(inputs,)))
    assert ended.finished, ended.tail
    assert ended.problem is None, ended.problem
    ends = dict(zip(names, json.loads((scratch / "ends").read_text()), strict=True))
    assert {name: end for name, end in ends.items() if end != "refused"} == {}
    assert not (scratch / "trace").exists()
