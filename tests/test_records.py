"""Records of others: whatever they contain becomes one message, with the file, what was found and what was expected."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from scored_runs import sentences, with_noise, write_run
from trained_runs import CPU, barely_trained

import hub
import inference
import report
from ner.errors import InputError
from ner.files import optional_json, read_record, write_json
from ner.runs.files import recorded_args
from ner.runs.model_card import model_card

pytestmark = pytest.mark.slow

DEEP = 3_000
# 9**6 strings, of a few hundred bytes: in earlier versions of YAML readers, minutes.
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcde", "bcdef", strict=True)
)


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    return barely_trained(corpus, encoders["bert"], tmp_path_factory.mktemp("runs") / "tagger")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ALIASES, "found an alias"),
        ("dataset: 5\n", "dataset: found 5; expected text"),
        ("dataset: null\n", "dataset: found null; expected text"),
        ("languages: []\n", "languages: found none; expected at least one"),
        ("languages: 5\n", "languages: found 5; expected a list"),
        ("languages: [en, 5]\n", "languages[1]: found 5; expected text"),
        ("seed: [1, 2]\n", "seed: found a list; expected a whole number"),
        ("seed: true\n", "seed: found True; expected a whole number"),
        ("seed: 2024-02-31\n", "cannot be read: day is out of range"),
        ("seed: 2024-02-03\n", "seed: found datetime.date(2024, 2, 3); expected a whole number"),
        ("seed: 1.5\n", "seed: found 1.5; expected a whole number"),
        (f"seed: 0x{'f' * 90}\n", "expected a number below 2**63"),
        (f"seed: {'9' * 9_000}\n", "cannot be read"),
        (f"x: 0x{'f' * 9_000}\n", "cannot be read"),
        ("x: " + "[" * DEEP, "nested too deeply"),
        ("? [a, b]\n: 1\n", "cannot be read"),
        ("1: 2\n", "a key: found 1; expected text"),
        ("- a\n", "found a list; expected a mapping"),
        ("model_checkpoint: {a: b}\n", "model_checkpoint: found a mapping; expected text"),
        ("x: !!python/object/apply:os.getcwd []\n", "cannot be read"),
    ],
)
def test_args_yaml(text, message, tmp_path):
    (tmp_path / "args.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        recorded_args(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'args.yaml'}: ") and message in str(error.value)


def test_commands_that_read_a_wrong_record(run, tmp_path, fails):
    folder = shutil.copytree(run, tmp_path / "run")
    compared = write_run(tmp_path / "compared", with_noise(sentences(random.Random(0)), 0.3, 1))
    for place in (folder, compared):
        (place / "args.yaml").write_text("dataset: 5\n")
    for main, *argv in (
        (inference.main, "--checkpoint", folder, *CPU),
        (report.main, compared, "--output_dir", tmp_path / "out"),
        (hub.main, "card", folder),
    ):
        assert "args.yaml: dataset: found 5; expected text; correct the file\n" in fails(main, *argv)
    assert not (folder / "test").exists() and not (tmp_path / "out").exists()


NUMBERS = ['"high"', "NaN", "Infinity", "1e999", "[1]", "null", "true", "9" * 30]
HISTORY = '{{"log_history": [{{"epoch": 1.0, "eval_f1": 0.5}}, {{"epoch": {0}, "eval_f1": 0.5}}]}}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("trainer_state.json", HISTORY.format(n)) for n in NUMBERS),
        ("trainer_state.json", '{"log_history": 5}'),
        ("trainer_state.json", '{"log_history": [5]}'),
        ("trainer_state.json", '{"log_history": null}'),
        ("trainer_state.json", '{"epoch": [1]}'),
        ("trainer_state.json", '{"best_metric": "high"}'),
        *(("environment.json", f'{{"update_steps": {n}}}') for n in (*NUMBERS, "1.5")),
        ("environment.json", "[" * DEEP),
        ("environment.json", '{"seed": ' + "[" * 9_000 + "]" * 9_000 + "}"),
        ("environment.json", "9" * 9_000),
        ("config.json", '{"id2label": {"0": 5}}'),
        ("config.json", '{"id2label": 5}'),
        ("config.json", "\udcff"),
    ],
)
def test_json_records(name, text, tmp_path):
    (tmp_path / name).write_bytes(os.fsencode(text))
    with pytest.raises(InputError, match=f"^{tmp_path / name}: "):
        optional_json(tmp_path / name)


def test_half_a_surrogate_pair_is_no_label(tmp_path, fails):
    folder = write_run(tmp_path / "run", with_noise(sentences(random.Random(0)), 0.3, 1))
    (folder / "config.json").write_text('{"id2label": {"0": "O", "1": "B-\\ud800"}}')
    assert f"{folder / 'config.json'}: " in fails(report.main, folder, "--output_dir", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "line",
    [
        "[" * DEEP,
        '{"tokens": ["a"], "gold": ["B-\\ud800"], "predicted": ["O"]}',
        '{"tokens": ["a"], "gold": ["O"], "predicted": ["O"], "lang": "\\udcff"}',
        '{"tokens": [' + "9" * 9_000 + '], "gold": ["O"], "predicted": ["O"]}',
    ],
)
def test_prediction_lines_of_others(line, tmp_path, fails):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "predictions.jsonl").write_text(line + "\n")
    assert "predictions.jsonl:1: " in fails(report.main, tmp_path, "--output_dir", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("environment.json", ("update_steps",), "many"),
        ("environment.json", ("packages",), {"torch": 2}),
        ("environment.json", ("rows",), {"read": "x"}),
        ("environment.json", ("rows",), {"read": 886}),
        ("environment.json", ("accelerators",), "none"),
        ("config.json", ("classes",), 5),
        ("config.json", ("classes",), [["PER"]]),
        ("validation/metrics.json", ("overall", "f1"), "high"),
        ("validation/metrics.json", ("overall", "f1"), float("nan")),
        ("validation/metrics.json", ("intervals", "overall", "f1"), [1.0]),
        ("validation/metrics.json", ("intervals", "overall", "f1"), ["a", "b"]),
        ("validation/metrics.json", ("per_class",), {"PER": 5}),
        ("validation/metrics.json", ("dataset",), 5),
        ("validation/metrics.json", ("languages",), [5]),
    ],
)
def test_records_behind_a_card(name, keys, value, run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    record = json.loads((folder / name).read_text())
    place = record
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / name).write_text(json.dumps(record))
    with pytest.raises(InputError, match=str(folder)):
        model_card(folder)


def test_own_records_are_read_as_they_were_written(run, tmp_path):
    for path in (*run.glob("*.json"), *run.glob("*/metrics.json")):
        assert read_record(path) == json.loads(path.read_text())
    assert read_record(run / "args.yaml")["seed"] == 42
    write_json(tmp_path / "metrics.json", {"dataset": os.fsdecode(b"d\xff")})
    assert read_record(tmp_path / "metrics.json") == {"dataset": os.fsdecode(b"d\xff")}
    assert optional_json(tmp_path / "none.json") == {} == optional_json(tmp_path / "metrics.json" / "none.json")


def test_halves_of_characters_in_records_do_not_stop_a_report(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    folders = [write_run(tmp_path / name, rows, optim=name) for name in "ab"]
    (folders[0] / "args.yaml").write_text('optim: "\\ud800"\n')
    (folders[0] / "environment.json").write_text('{"python": "\\ud800", "packages": {"\\ud800": "\\udfff"}}')
    report.main([*map(str, folders), "--output_dir", str(tmp_path / "out")])
    assert all((tmp_path / "out" / f"report.{kind}").stat().st_size for kind in ("html", "md", "json"))
