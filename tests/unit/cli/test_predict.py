"""`slipway predict`: rows in any format, bounded requests, answers for people and programs."""

import csv
import io
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet
import pytest

import cli_fake as fake
from slipway_operator.cli import predict
from slipway_operator.cli.errors import USAGE, CliError
from slipway_operator.cli.rows import Rows, read_rows

ROWS = [{"island": "Dream", "mass": 4050.0}, {"island": "Biscoe", "mass": None}]
CSV = b"island,mass\nDream,4050\nBiscoe,\n"


def decode(rows: Rows) -> Any:
    ((count, body),) = rows.requests(max_rows=10, max_bytes=1 << 20)
    assert count == len(rows.pieces)
    if rows.media_type == "text/csv":
        return list(csv.DictReader(io.StringIO(body.decode())))
    return json.loads(body)


def parquet() -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


CONTENTS: dict[str, tuple[bytes, Any]] = {
    "a list": (json.dumps(ROWS).encode(), ROWS),
    "an object": (json.dumps(ROWS[0]).encode(), ROWS[:1]),
    "rows in an object": (json.dumps({"rows": ROWS}).encode(), ROWS),
    "JSON lines": ("\n".join(json.dumps(row) for row in ROWS).encode(), ROWS),
    "Parquet": (parquet(), ROWS),
    "CSV": (CSV, [{"island": "Dream", "mass": "4050"}, {"island": "Biscoe", "mass": ""}]),
    "CSV with a mark and quotes": (
        '\ufeffisland,mass\n"Drea""m, far",1\n'.encode(),
        [{"island": 'Drea"m, far', "mass": "1"}],
    ),
}


@pytest.mark.parametrize(("content", "rows"), CONTENTS.values(), ids=CONTENTS.keys())
def test_the_format_is_seen_from_the_content(content: bytes, rows: Any) -> None:
    assert decode(read_rows(content, "file")) == rows


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b" \n", "empty"),
    "no rows": (b"[]", "no rows"),
    "only a header": (b"a,b\n", "no rows"),
    "a ragged line": (b"a,b\n1\n", "row 0 has 1 values, the header 2"),
    "not JSON": (b"{a:", "not JSON"),
    "numbers": (b"[1, 2]", "row 0 is not an object"),
    "bytes": (b"\x80\x04\x95", "neither CSV"),
    "broken Parquet": (b"PAR1junk", "not Parquet"),
}


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD.keys())
def test_unfit_content_is_wrong_usage(content: bytes, words: str) -> None:
    with pytest.raises(CliError, match=words) as caught:
        read_rows(content, "the file")
    assert caught.value.code == USAGE
    assert "the file" in caught.value.message


def test_requests_keep_both_limits_and_lose_no_row() -> None:
    rows = read_rows(json.dumps([{"n": i, "pad": "x" * (i % 7)} for i in range(100)]).encode(), "f")
    bodies = list(rows.requests(max_rows=8, max_bytes=150))
    assert max(count for count, _ in bodies) <= 8
    assert max(len(body) for _, body in bodies) <= 150
    assert [row["n"] for _, body in bodies for row in json.loads(body)] == list(range(100))
    assert [count for count, _ in bodies] == [len(json.loads(body)) for _, body in bodies]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> fake.FakeServer:
    """A model that answers `Adelie` for everything, warns of Mars and refuses Pluto."""

    def answer(
        _client: httpx.Client, _url: str, body: bytes, media_type: str, *, seconds: float
    ) -> httpx.Response:
        assert (media_type, seconds) == ("application/json", 15.0)
        rows = json.loads(body)
        mars = [i for i, row in enumerate(rows) if row["island"] == "Mars"]
        violation = {
            "rule": "UnknownCategory", "column": "island", "policy": "Warn", "count": len(mars),
            "rows": mars, "value": "Mars",
            "message": 'UnknownCategory, column "island", row 0: "Mars" is not known.',
        }  # fmt: skip
        if any(row["island"] == "Pluto" for row in rows):
            refused = {**violation, "policy": "Reject", "count": 1, "rows": [0]}
            body_json = {"error": "The contract is violated.", "violations": [refused]}
            return httpx.Response(422, json=body_json)
        predictions = [
            {"label": "Adelie", "probabilities": {"Adelie": 0.9876543, "Gentoo": 0.0123457}}
            for _ in rows
        ]
        return httpx.Response(
            200, json={"predictions": predictions, "violations": [violation] if mars else []}
        )

    monkeypatch.setattr(predict, "_post", answer)
    server = fake.FakeServer()
    item = fake.serving(fake.model("penguins"))
    item["spec"]["serving"] = {"maxBatchRows": 2}
    server.put("modeldeployments", item)
    return server


def ask(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, folder: Path, *islands: str,
    options: tuple[str, ...] = (),
) -> int:  # fmt: skip
    file = folder / "rows.json"
    file.write_text(json.dumps([{"island": island} for island in islands]))
    return fake.run(server, monkeypatch, "predict", "penguins", str(file), *options)


def test_a_table_with_a_line_a_row(
    served: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert ask(served, monkeypatch, tmp_path, "Dream", "Dream", "Mars") == 0
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["ROW", "LABEL", "Adelie", "Gentoo"]
    assert lines[3] == ["2", "Adelie", "0.9877", "0.01235"]
    assert len(lines) == 4
    # The third row is the first of the second request: rows are counted over all of them.
    assert said.err == ('Warn: UnknownCategory in column island, row 2: "Mars" is not known.\n')


def test_csv_and_json_for_programs(
    served: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert ask(served, monkeypatch, tmp_path, "Dream", "Mars", options=("-o", "csv")) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[1] == {"row": "1", "label": "Adelie", "Adelie": "0.9876543", "Gentoo": "0.0123457"}
    assert ask(served, monkeypatch, tmp_path, "Dream", "Mars", options=("-o", "json")) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["predictions"][0]["label"] == "Adelie"
    assert answer["violations"][0]["rows"] == [1]
    assert said.err == ""


def test_refused_rows_say_which_and_why(
    served: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert ask(served, monkeypatch, tmp_path, "Dream", "Dream", "Pluto") == 1
    said = capsys.readouterr()
    assert 'modeldeployment "penguins" refused the rows:' in said.err
    assert "  Reject: UnknownCategory in column island, row 2: " in said.err
    assert "slipway describe penguins" in said.err
    assert said.out == ""


def test_a_model_that_does_not_serve_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.put(
        "modeldeployments", fake.failing(fake.model("penguins"), "ModelNotFound", "No such file.")
    )
    assert ask(server, monkeypatch, tmp_path, "Dream") == 1
    said = capsys.readouterr().err
    assert "cannot answer now: ModelNotFound: No such file." in said
    assert "Correct spec.model.uri" in said


def test_files_and_addresses_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    item = fake.serving(fake.model("penguins"), url="http://127.0.0.1:1")
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "predict", "penguins", str(tmp_path / "no.csv")) == 2
    assert "no.csv" in capsys.readouterr().err
    assert ask(server, monkeypatch, tmp_path, "Dream") == 1
    assert "No answer from http://127.0.0.1:1/predict" in capsys.readouterr().err


def test_a_model_that_does_not_answer_in_time_is_exit_code_4(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        server = fake.FakeServer()
        server.put("modeldeployments", fake.serving(fake.model("penguins"), url=url))
        file = tmp_path / "rows.csv"
        file.write_text("island\nDream\n")
        asked = ("predict", "penguins", str(file), "--timeout", "0.2")
        assert fake.run(server, monkeypatch, *asked) == 4
    said = capsys.readouterr().err
    assert f"No answer from {url}/predict within 0.2 s." in said
    assert "--timeout" in said
