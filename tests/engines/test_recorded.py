"""What was recorded comes back bit for bit, from a folder that needs no model."""

import json

import pytest

from engines.base import Request, SamplingParams
from engines.http import HttpEngine
from engines.prompting import untrusted
from engines.recorded import RecordingEngine
from engines.recording import PARQUET_FILE, ROWS_FILE
from engines.registry import create_engine
from engines.scripted_server import scripted_server
from tenet.errors import InvalidInput, MissingInput, UsageError
from tenet.records import Finish
from tests.engines.http_world import questions

PARAMS = SamplingParams(max_tokens=9)


def requests_of(engine, count=6):
    return [Request(engine.tokenizer.chat([("user", [untrusted(f"the fox {n}")])]), seed=n) for n in range(count)]


@pytest.fixture(params=["transformers", "scripted"])
def recorded(request, tiny_model, tmp_path):
    """A recording's folder, and the answers that went into it."""
    folder = tmp_path / "recording"
    inner = create_engine(request.param, str(tiny_model) if request.param == "transformers" else "hash")
    with RecordingEngine(inner, folder) as engine:
        asked = requests_of(engine)
        labels = engine.tokenizer.label_set(["A", "B"])
        answers = engine.read_labels(asked, labels), engine.generate(asked, PARAMS)
    return folder, asked, labels, answers


def test_replay_is_exact(recorded):
    folder, asked, labels, (reads, texts) = recorded
    with create_engine("recorded", str(folder)) as engine:
        assert requests_of(engine) == asked
        assert engine.tokenizer.label_set(["A", "B"]) == labels
        assert engine.read_labels(asked[::-1], labels) == reads[::-1]
        assert engine.generate(asked, PARAMS) == texts
        assert engine.capabilities.deterministic
        assert engine.info.engine == "recorded"


def test_what_was_never_asked_is_an_error_result(recorded):
    folder, asked, labels, _ = recorded
    with create_engine("recorded", str(folder)) as engine:
        other = [Request(asked[0].tokens, seed=99)]
        assert engine.generate(other, PARAMS)[0].finish is Finish.ERROR
        assert engine.generate(asked[:1], SamplingParams(max_tokens=8))[0].error
        assert engine.read_labels(asked[:1], labels[:1])[0].error
        assert engine.read_labels(other, labels)[0].error == "", "a label read has no seed"


def test_a_text_vote_stays_one(tmp_path):
    """A vote that came back as log-probabilities would be a certainty."""
    folder, options = tmp_path / "recording", {"api": "chat", "verdicts": "text"}
    with scripted_server(no_logprobs=True) as server:
        inner = HttpEngine("scripted", base_url=[server.base_url], options=options)
        with RecordingEngine(inner, folder) as engine:
            asked = questions(engine.tokenizer, 2)
            labels = engine.tokenizer.label_set(["A", "B"])
            reads = engine.read_labels(asked, labels)
    assert {read.kind for read in reads} == {"text"}
    with create_engine("recorded", str(folder)) as engine:
        assert engine.read_labels(asked, labels) == reads


def test_parquet_replays_too(recorded):
    import pyarrow as pa
    from pyarrow import parquet

    folder, asked, labels, (reads, texts) = recorded
    rows = [json.loads(line) for line in (folder / ROWS_FILE).read_text().splitlines()]
    parquet.write_table(pa.Table.from_pylist(rows), folder / PARQUET_FILE)
    (folder / ROWS_FILE).unlink()
    with create_engine("recorded", str(folder)) as engine:
        assert engine.read_labels(asked, labels) == reads
        assert [c.text for c in engine.generate(asked, PARAMS)] == [c.text for c in texts]


def test_a_torn_line_is_owed_again(recorded):
    folder, asked, labels, (reads, _) = recorded
    path = folder / ROWS_FILE
    path.write_bytes(path.read_bytes()[:-20])
    with create_engine("recorded", str(folder)) as engine:
        assert engine.read_labels(asked, labels) == reads
        assert engine.generate(asked, PARAMS)[-1].finish is Finish.ERROR


def test_recording_goes_on_after_a_torn_line(tmp_path):
    folder = tmp_path / "r"
    for cut in (False, True):
        if cut:
            path = folder / ROWS_FILE
            path.write_bytes(path.read_bytes()[:-20])
        with RecordingEngine(create_engine("scripted", "hash"), folder) as engine:
            texts = engine.generate(requests_of(engine), PARAMS)
    with create_engine("recorded", str(folder)) as engine:
        assert engine.generate(requests_of(engine), PARAMS) == texts


def test_success_beats_an_earlier_error(tmp_path):
    inner = create_engine("scripted", "hash", options={"errors": 1.0, "transient": True})
    with RecordingEngine(inner, tmp_path / "r") as engine:
        asked = requests_of(engine)
        assert all(c.error for c in engine.generate(asked, PARAMS))
        texts = engine.generate(asked, PARAMS)
    with create_engine("recorded", str(tmp_path / "r")) as engine:
        assert engine.generate(asked, PARAMS) == texts
        assert not any(c.error for c in texts)


def test_another_engine_needs_another_folder(tmp_path):
    RecordingEngine(create_engine("scripted", "hash"), tmp_path / "r").close()
    with pytest.raises(UsageError, match="another engine"):
        RecordingEngine(create_engine("scripted", "longer"), tmp_path / "r")


def test_other_prompt_settings_are_refused(recorded):
    with pytest.raises(UsageError, match="prefill: 'Answer:' here"):
        create_engine("recorded", str(recorded[0]), prefill="Answer:")


def test_no_recording_and_a_broken_one(tmp_path, recorded):
    with pytest.raises(MissingInput, match="no recording here"):
        create_engine("recorded", str(tmp_path / "none"))
    path = recorded[0] / ROWS_FILE
    path.write_text('{"key": 1}\n' + path.read_text())
    with pytest.raises(InvalidInput, match=r"rows\.jsonl:1: no row"):
        create_engine("recorded", str(recorded[0]))
