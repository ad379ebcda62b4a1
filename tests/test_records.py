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
import train
from ner.errors import InputError
from ner.files import read_record, write_json
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
        ("languages: &l [en]\nselected_categories: *l\n", "found an alias"),
        ("dataset: 5\n", "dataset: found 5; expected text"),
        ("dataset: null\n", "dataset: found null; expected text"),
        ("dataset: [a]\n", "dataset: found a list; expected text"),
        ("languages: []\n", "languages: found none; expected at least one"),
        ("languages: 5\n", "languages: found 5; expected a list"),
        ("languages: [en, 5]\n", "languages[1]: found 5; expected text"),
        ("seed: [1, 2]\n", "seed: found a list; expected a whole number"),
        ("seed: true\n", "seed: found True; expected a whole number"),
        ("seed: 2024-02-31\n", "cannot be read: day is out of range"),
        ("seed: 2024-02-03\n", "seed: found datetime.date(2024, 2, 3); expected a whole number"),
        ("seed: .nan\n", "seed: found nan; expected a whole number"),
        (f"seed: 0x{'f' * 90}\n", "seed: found a number out of range; expected a whole number"),
        (f"seed: {'9' * 9_000}\n", "cannot be read"),
        (f"x: 0x{'f' * 9_000}\n", "cannot be read"),
        ("x: " + "[" * DEEP, "found more than 50 levels"),
        ("[" * DEEP, "found more than 50 levels"),
        ("? [a, b]\n: 1\n", "cannot be read"),
        ("1: 2\n", "a key: found 1; expected text"),
        ("- a\n", "found a list; expected a mapping"),
        ("model_checkpoint: {a: b}\n", "model_checkpoint: found a mapping; expected text"),
        ("x: !!python/object/apply:os.getcwd []\n", "cannot be read"),
    ],
)
def test_args_yaml(text, message, run, tmp_path, fails):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "args.yaml").write_text(text)
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    compared = write_run(tmp_path / "compared", rows)
    (compared / "args.yaml").write_text(text)
    for main, *argv in (
        (inference.main, "--checkpoint", folder, *CPU),
        (report.main, compared, "--output_dir", tmp_path / "out"),
        (hub.main, "card", folder),
    ):
        printed = fails(main, *argv)
        assert "args.yaml: " in printed and message in printed
    assert not (folder / "test").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", [ALIASES, "lr_scheduler_kwargs: {a: &a [1], b: *a}\n", "seed: &s 1\ndata_seed: *s\n"])
def test_aliases_in_a_config(text, tmp_path, fails):
    (tmp_path / "args.yaml").write_text(text)
    assert "args.yaml: cannot be read as options: found an alias" in fails(train.main, tmp_path / "args.yaml")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "c.yaml",
            "lr_scheduler_kwargs: {x: 2024-02-31}\n",
            "c.yaml:1: lr_scheduler_kwargs cannot be read: day is out",
        ),
        ("c.yaml", f"lr_scheduler_kwargs: {{x: {'9' * 9_000}}}\n", "c.yaml:1: lr_scheduler_kwargs cannot be read"),
        ("c.json", f'{{"seed": {"9" * 9_000}}}', "c.json: cannot be read as options"),
        ("c.json", '{"seed": ' + "[" * 9_000 + "]" * 9_000 + "}", "c.json: cannot be read as options"),
    ],
)
def test_values_of_a_config_that_cannot_be_read(name, text, message, tmp_path, fails):
    (tmp_path / name).write_text(text)
    assert message in fails(train.main, tmp_path / name)


NUMBERS = ['"high"', "NaN", "Infinity", "1e999", "[1]", "null", "true", "9" * 30]
HISTORY = '{{"log_history": [{{"epoch": 1.0, "eval_f1": 0.5}}, {{"epoch": {0}, "eval_f1": 0.5}}]}}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("trainer_state.json", HISTORY.format(n)) for n in NUMBERS),
        ("trainer_state.json", '{"log_history": 5}'),
        ("trainer_state.json", '{"log_history": [5]}'),
        ("trainer_state.json", '{"log_history": null}'),
        *(("environment.json", f'{{"update_steps": {n}}}') for n in (*NUMBERS, "1.5")),
        ("environment.json", "[" * DEEP),
        ("environment.json", "9" * 9_000),
        ("config.json", '{"id2label": {"0": 5}}'),
        ("config.json", '{"id2label": {"0": "O", "1": "B-\\ud800"}}'),
        ("config.json", '{"id2label": 5}'),
        ("config.json", "\udcff"),
    ],
)
def test_records_of_compared_runs(name, text, tmp_path, fails):
    folder = write_run(tmp_path / "run", with_noise(sentences(random.Random(0)), 0.3, 1))
    (folder / name).write_bytes(os.fsencode(text))
    assert f"{folder / name}: " in fails(report.main, folder, "--output_dir", tmp_path / "out")
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
    for path in (*run.glob("*.json"), *run.glob("*/metrics.json"), run / "args.yaml"):
        if path.suffix == ".json":
            assert read_record(path) == json.loads(path.read_text())
    assert read_record(run / "args.yaml")["seed"] == 42
    write_json(tmp_path / "metrics.json", {"dataset": os.fsdecode(b"d\xff")})
    assert read_record(tmp_path / "metrics.json") == {"dataset": os.fsdecode(b"d\xff")}


@pytest.mark.parametrize(
    ("key", "value"), [("global_step", "two"), ("log_history", 5), ("epoch", [1]), ("best_metric", "high")]
)
def test_a_damaged_checkpoint_is_not_resumed(key, value, run, corpus, tmp_path, fails):
    folder = shutil.copytree(run, tmp_path / "run")
    path = next(folder.glob("checkpoint-*/trainer_state.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    (folder / "checkpoint-old").mkdir()
    (folder / "checkpoint-old" / "trainer_state.json").write_text("{}")
    options = ("--output_dir", folder, "--resume_from_checkpoint", "true", *CPU)
    message = fails(train.main, folder / "args.yaml", "--dataset", corpus, *options)
    assert f"{path}: {key}: found" in message


def test_halves_of_characters_in_records_do_not_stop_a_report(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    folders = [write_run(tmp_path / name, rows, optim=name) for name in "ab"]
    (folders[0] / "args.yaml").write_text('optim: "\\ud800"\n')
    (folders[0] / "environment.json").write_text('{"python": "\\ud800", "packages": {"\\ud800": "\\udfff"}}')
    report.main([*map(str, folders), "--output_dir", str(tmp_path / "out")])
    assert all((tmp_path / "out" / f"report.{kind}").stat().st_size for kind in ("html", "md", "json"))
