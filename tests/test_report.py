"""The comparison of run folders, from their prediction files."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from seqeval.metrics import classification_report, f1_score

import report
from metrics import ner_metric
from ner.labels import label_names
from ner.scoring.significance import holm

CLASSES = ["PER", "ORG", "LOC"]


def sentences(rng: random.Random, count: int = 80) -> list[dict]:
    rows = []
    for i in range(count):
        tags = [t for _ in range(3) for t in rng.choice((["O"], ["B-PER", "I-PER"], ["B-ORG"], ["B-LOC", "I-LOC"]))]
        rows.append(
            {"id": i, "lang": rng.choice(("de", "en")), "tokens": [f"w{i}.{j}" for j in range(len(tags))], "gold": tags}
        )
    return rows


def with_noise(rows: list[dict], rate: float, seed: int) -> list[dict]:
    rng, names = random.Random(seed), label_names(CLASSES)
    return [row | {"predicted": [rng.choice(names) if rng.random() < rate else t for t in row["gold"]]} for row in rows]


def write_run(folder: Path, rows: list[dict], classes: list[str] | None = None, **args: object) -> Path:
    (folder / "test").mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "test" / "predictions.jsonl").write_text(text)
    if classes:
        (folder / "config.json").write_text(json.dumps({"id2label": dict(enumerate(label_names(classes)))}))
    if args:
        (folder / "args.yaml").write_text(yaml.safe_dump(args | {"output_dir": str(folder)}))
    return folder


def mask(rows: list[dict], kept: list[str]) -> list[dict]:
    return [row | {s: [t if t[2:] in kept else "O" for t in row[s]] for s in ("gold", "predicted")} for row in rows]


def report_of(tmp_path, *folders: Path) -> dict:
    report.main([*map(str, folders), "--output_dir", str(tmp_path / "out")])
    return json.loads((tmp_path / "out" / "report.json").read_text())


def test_a_run_and_its_copy_do_not_differ(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    result = report_of(tmp_path, write_run(tmp_path / "a", rows), write_run(tmp_path / "b", rows))
    each = result["differences"]["b"]
    for d in (each["micro"], each["macro"], *each["per_class"].values()):
        assert (d["difference"], d["low"], d["high"], d["p"]) == (0, 0, 0, 1)
    assert all(d["p_holm"] == 1 for d in each["per_class"].values())
    text = capsys.readouterr().out
    assert "**No difference is shown in micro F1 between b and a" in text and "nor in any class" in text
    assert "| higher |" not in text and "| lower |" not in text and "With one seed per experiment" in text


@pytest.mark.filterwarnings("ignore")
def test_a_and_b_are_scored_on_the_classes_both_know(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    a = write_run(tmp_path / "a", rows, CLASSES)
    b = write_run(tmp_path / "b", mask(rows, ["PER", "LOC"]), ["LOC", "PER"])
    result = report_of(tmp_path, a, b)
    assert result["classes"] == ["PER", "LOC"]
    # The same predictions: B's better score on its own classes is the label set alone, and the projection shows it.
    assert result["differences"]["b"]["micro"]["difference"] == 0
    own = {name: run["own"]["overall"]["f1"] for name, run in result["runs"].items()}
    assert own["a"] == f1_score([r["gold"] for r in rows], [r["predicted"] for r in rows])
    two = mask(rows, ["PER", "LOC"])
    gold, predicted = [r["gold"] for r in two], [r["predicted"] for r in two]
    assert result["runs"]["a"]["overall"]["f1"] == own["b"] == f1_score(gold, predicted)
    seqeval = classification_report(gold, predicted, output_dict=True)
    assert result["runs"]["b"]["per_class"]["PER"]["f1"] == seqeval["PER"]["f1-score"]
    assert result["runs"]["b"]["own"]["classes"] == ["PER", "LOC"]


def test_a_real_difference_is_found_and_named(tmp_path, capsys):
    rows = sentences(random.Random(0), 400)
    good, bad = with_noise(rows, 0.1, 1), with_noise(rows, 0.3, 2)
    result = report_of(tmp_path, write_run(tmp_path / "good", good), write_run(tmp_path / "bad", bad))
    d = result["differences"]["bad"]["micro"]
    assert d["low"] < d["difference"] < d["high"] < 0 and d["p"] < 0.001
    text = capsys.readouterr().out
    low, high = 100 * d["low"], 100 * d["high"]
    assert text.startswith("# Comparison of runs\n\n**bad is lower than good in micro F1 (")
    assert re.search(rf"\| micro \| [\d,]+ \| lower \| -[\d.]+ \| {low:.1f} to {high:.1f} \| < 0.001 \|", text)
    assert set(result["languages"]) == {"de", "en"}


def test_runs_that_differ_in_seed_only_are_one_experiment(tmp_path, capsys):
    rows = sentences(random.Random(0), 200)
    folders = [
        write_run(
            tmp_path / f"{name}{seed}", with_noise(rows, rate, 10 * seed + masked), masked_training=masked, seed=seed
        )
        for name, masked, rate in (("a", False, 0.2), ("b", True, 0.1))
        for seed in range(3)
    ]
    result = report_of(tmp_path, *folders)
    first, second = result["groups"]
    assert (first["runs"], second["runs"]) == (["a0", "a1", "a2"], ["b0", "b1", "b2"])
    f1 = [result["runs"][name]["overall"]["f1"] for name in second["runs"]]
    assert second["f1"]["micro"]["mean"] == pytest.approx(sum(f1) / 3)
    d = second["difference"]["micro"]
    assert d["low"] < d["difference"] < d["high"] and d["p"] == d["p_holm"]  # a family of one micro test
    by_class = [second["difference"][c] for c in CLASSES]
    assert [c["p_holm"] for c in by_class] == pytest.approx(holm([c["p"] for c in by_class]))
    # A class needs a larger difference than micro F1: more tests, fewer entities. Macro F1 is not tested.
    assert 0 < d["detectable"] < min(c["detectable"] for c in by_class)
    text = capsys.readouterr().out
    assert "**Over 3 seeds of a and 3 seeds of b, " in text and "With one seed" not in text
    over_seeds, _, of_runs = text.partition("## Differences of single runs")
    assert f"| ±{100 * d['detectable']:.1f} |" in over_seeds and "| \N{EN DASH} |" in over_seeds
    assert "detectable" not in of_runs


def test_an_experiment_of_one_seed_has_no_interval_over_seeds(tmp_path, capsys):
    rows = sentences(random.Random(0), 200)
    folders = [
        write_run(tmp_path / f"{masked}{seed}", with_noise(rows, 0.2, seed), masked_training=masked, seed=seed)
        for masked, seed in ((False, 1), (False, 2), (True, 1))
    ]
    d = report_of(tmp_path, *folders)["groups"][1]["difference"]["micro"]
    assert d["difference"] is not None and d["low"] is d["high"] is d["p"] is d["detectable"] is None
    assert "p_holm" not in d
    assert "with one seed this is not tested" in capsys.readouterr().out


def test_names_are_the_shortest_suffixes_that_differ(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    folders = [write_run(tmp_path / parent / "run", rows) for parent in ("x", "y")]
    assert list(report_of(tmp_path, *folders)["runs"]) == ["x/run", "y/run"]


def test_runs_that_cannot_be_compared_are_refused(tmp_path, fails):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    first = write_run(tmp_path / "first", rows)
    other = [dict(r) for r in rows]
    other[7] = other[7] | {"tokens": ["x", *other[7]["tokens"][1:]]}
    message = fails(report.main, first, write_run(tmp_path / "tokens", other))
    assert "(80 sentences) and tokens (80) differ in sentences: the first is id 7" in message
    assert "the first is id 79" in fails(report.main, first, write_run(tmp_path / "shorter", rows[:-1]))
    gold = [dict(r) for r in rows]
    gold[5] = gold[5] | {"gold": ["B-PER" if t == "O" else "O" for t in gold[5]["gold"]]}
    assert "differ in gold tags" in fails(report.main, first, write_run(tmp_path / "gold", gold))
    others = [r | {s: ["B-X" if t != "O" else t for t in r[s]] for s in ("gold", "predicted")} for r in rows]
    assert "no class in common" in fails(report.main, first, write_run(tmp_path / "classes", others))
    assert "expected each run once" in fails(report.main, first, first)
    assert "score the run" in fails(report.main, tmp_path)
    (first / "test" / "predictions.jsonl").write_text('{"tokens": []}\n')
    assert "predictions.jsonl:1" in fails(report.main, first)


def test_a_report_needs_neither_torch_nor_transformers():
    code = "import sys, report; sys.exit(bool({'torch', 'transformers', 'datasets', 'evaluate'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(report.__file__).parent).returncode == 0


def test_names_from_files_are_no_markup(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    odd = [r | {s: [t.replace("PER", "<b>|x") for t in r[s]] for s in ("gold", "predicted")} for r in rows]
    report_of(tmp_path, write_run(tmp_path / "a", odd), write_run(tmp_path / "b", odd))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "&lt;b&gt;\\|x" in text and "<b>" not in text


def test_copies_of_sentences_are_no_evidence(tmp_path):
    rows = with_noise(sentences(random.Random(0), 60), 0.3, 1)
    once = report_of(tmp_path / "1", write_run(tmp_path / "1" / "run", rows))
    often = report_of(tmp_path / "2", write_run(tmp_path / "2" / "run", rows * 4))
    for scores in ("f1", "accuracy"):
        a, b = (r["runs"]["run"]["overall"]["intervals"][scores] for r in (once, often))
        assert a == pytest.approx(b)
    assert (often["sentences"], often["clusters"]) == (240, 60)


def test_a_repeated_seed_counts_once(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    folders = [write_run(tmp_path / name, rows, masked_training=False, seed=1) for name in ("a", "b")]
    assert "groups" not in report_of(tmp_path, *folders)


@pytest.mark.parametrize(
    "line",
    [
        '{"tokens": "ab", "gold": ["O", "O"], "predicted": ["O", "O"]}',
        '{"tokens": [1], "gold": ["O"], "predicted": ["O"]}',
        '{"tokens": ["a"], "gold": [1], "predicted": ["O"]}',
        '{"tokens": ["a"], "gold": ["O"], "predicted": [null]}',
        '{"tokens": ["a"], "gold": ["O"], "predicted": ["O"], "lang": null}',
        '{"tokens": ["\\ud800"], "gold": ["O"], "predicted": ["O"]}',
        '{"tokens": [NaN], "gold": ["O"], "predicted": ["O"]}',
        '{"tokens": 5, "gold": [], "predicted": []}',
        "[]",
        "{",
    ],
)
def test_wrong_prediction_lines_are_named(tmp_path, line, fails):
    (tmp_path / "test").mkdir()
    good = '{"tokens": ["a"], "gold": ["O"], "predicted": ["O"]}'
    (tmp_path / "test" / "predictions.jsonl").write_text(good + "\n" + line + "\n")
    assert "predictions.jsonl:2: " in fails(report.main, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("config.json", "null"), ("config.json", '{"id2label": []}'), ("config.json", '{"id2label": {"0": "LABEL_0"}}'),
     ("environment.json", "[]"), ("trainer_state.json", "[]"), ("args.yaml", "[1]"), ("config.json", "{")],
)  # fmt: skip
def test_wrong_records_are_named(tmp_path, name, text, fails):
    folder = write_run(tmp_path / "run", with_noise(sentences(random.Random(0)), 0.3, 1))
    (folder / name).write_text(text)
    assert name in fails(report.main, folder)


def test_odd_names_are_drawn(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    report_of(tmp_path, write_run(tmp_path / "x$a_{b$", rows), write_run(tmp_path / "_c", rows))
    for name in ("class_f1", "differences"):
        drawn = ElementTree.parse(tmp_path / "out" / f"{name}.svg").getroot()
        words = [t.text for t in drawn.iter("{http://www.w3.org/2000/svg}text")]
        assert "micro" in words and ("_c" in words if name == "class_f1" else "LOC" in words)


def test_a_class_without_gold_is_not_tested(tmp_path):
    """An empty class has no row, and does not make the family of tests larger."""
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    rows = [r | {"gold": [t if t[2:] != "LOC" else "O" for t in r["gold"]]} for r in rows]
    better = [r | {"predicted": p["predicted"]} for r, p in zip(rows, with_noise(rows, 0.1, 2), strict=True)]
    result = report_of(tmp_path, write_run(tmp_path / "a", rows, CLASSES), write_run(tmp_path / "b", better, CLASSES))
    each = result["differences"]["b"]["per_class"]
    assert result["support"]["LOC"] == 0 and each["LOC"] is None
    assert max(each[c]["p_holm"] for c in ("PER", "ORG")) <= 2 * max(each[c]["p"] for c in ("PER", "ORG"))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Not tested, without gold entities in the split: LOC." in text
    assert not re.search(r"\| LOC \| 0 \| (not|higher|lower)", text) and "| LOC | 0 | \u2013 | \u2013 |" in text


def test_micro_tests_of_several_runs_are_one_family(tmp_path):
    rows = sentences(random.Random(0))
    folders = [write_run(tmp_path / name, with_noise(rows, 0.3, seed)) for seed, name in enumerate("abcd")]
    micro = [d["micro"] for d in report_of(tmp_path, *folders)["differences"].values()]
    assert [m["p_holm"] for m in micro] == pytest.approx(holm([m["p"] for m in micro]))
    assert any(m["p_holm"] > m["p"] for m in micro)


@pytest.mark.filterwarnings("ignore")
def test_a_class_that_is_only_predicted_and_macro_f1(tmp_path):
    """The page says what macro F1 is, and how it differs from seqeval's."""
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    rows = [r | {"gold": [t if t[2:] != "LOC" else "O" for t in r["gold"]]} for r in rows]
    result = report_of(tmp_path, write_run(tmp_path / "a", rows, CLASSES))
    run = result["runs"]["a"]
    kept = [run["per_class"][c]["f1"] for c in ("PER", "ORG")]
    assert run["overall"]["macro_f1"] == pytest.approx(sum(kept) / 2)
    seqeval = classification_report([r["gold"] for r in rows], [r["predicted"] for r in rows], output_dict=True)
    assert seqeval["macro avg"]["f1-score"] == pytest.approx(sum(kept) / 3)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "mean F1 of the shared classes that have gold entities" in text and "with an F1 of 0" in text


def test_seeds_are_counted_before_they_are_said_to_be_one(tmp_path, capsys):
    rows = sentences(random.Random(0))
    folders = [
        write_run(tmp_path / f"a-{seed}", with_noise(rows, 0.2, seed), masked_training=False, seed=seed)
        for seed in range(3)
    ]
    report_of(tmp_path, *folders)
    text = capsys.readouterr().out
    assert "**All runs are of one experiment: they differ in their seed only.**" in text
    assert "These runs are one experiment with 3 seeds" in text and "With one seed" not in text
    single = write_run(tmp_path / "b", with_noise(rows, 0.2, 9), masked_training=True, seed=1)
    report_of(tmp_path, *folders, single)
    text = capsys.readouterr().out
    assert "There is only one seed of b." in text and "3 seeds of a and 1 seed of b" in text


def test_tables_have_classes_down_with_their_gold_entities_and_runs_across(tmp_path):
    rows = sentences(random.Random(0))
    result = report_of(tmp_path, *(write_run(tmp_path / n, with_noise(rows, 0.3, i)) for i, n in enumerate("abc")))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| class | gold entities | a | b | c |" in text
    for c in CLASSES:
        assert f"| {c} | {result['support'][c]} | {100 * result['runs']['a']['per_class'][c]['f1']:.1f} (" in text


ENVIRONMENT = {
    "python": "3.11.7", "packages": {"torch": "2.13.0", "numpy": "2.4.6"}, "processor": "EPYC", "threads": 1,
    "accelerators": [], "git_commit": "4956983", "processes": 1, "device": "cpu", "precision": "float32",
    "data_fingerprint": "511f", "update_steps": 1212,
}  # fmt: skip
ARGUMENTS = {"learning_rate": 2e-5, "per_device_train_batch_size": 16, "weight_decay": 0.01, "seed": 1}


def recorded_run(folder: Path, rows: list[dict], environment: dict, metrics: dict, **args: object) -> Path:
    write_run(folder, rows, CLASSES, **args)
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "test" / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_runs_that_were_made_alike_are_said_to_agree(tmp_path, capsys):
    rows, scored = with_noise(sentences(random.Random(0)), 0.3, 1), {"precision": "float32", "data_fingerprint": "a1"}
    a = recorded_run(tmp_path / "a", rows, ENVIRONMENT, scored, **ARGUMENTS, masked_training=False)
    # What an experiment varies, and the same precision as an older version recorded it, are no difference.
    older = {k: v for k, v in ENVIRONMENT.items() if k != "precision"} | {"bfloat16": False}
    b = recorded_run(tmp_path / "b", rows, older, scored, **ARGUMENTS | {"seed": 2}, masked_training=True)
    result = report_of(tmp_path, a, b)
    assert result["differing"] == [] and result["unrecorded"] == []
    for text in (capsys.readouterr().out, (tmp_path / "out" / "report.md").read_text()):
        assert text.split("\n\n")[2].startswith("All runs agree in precision of training, precision of scoring, ")


def test_runs_that_differ_in_more_than_the_experiment_say_so_first(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    a = recorded_run(tmp_path / "a", rows, ENVIRONMENT, {"precision": "float32", "data_fingerprint": "a1"}, **ARGUMENTS)
    other = ENVIRONMENT | {
        "precision": "bfloat16", "packages": {"torch": "2.12.1", "numpy": "2.4.6"}, "processes": 2, "threads": 4,
        "update_steps": 606, "data_fingerprint": "622a", "processor": "Xeon", "accelerators": ["H100"],
        "git_commit": "bd433ce-dirty",
    }  # fmt: skip
    changed = ARGUMENTS | {"learning_rate": 3e-4, "weight_decay": 0.0}
    b = recorded_run(tmp_path / "b", rows, other, {"precision": "bfloat16", "data_fingerprint": "b2"}, **changed)
    result = report_of(tmp_path, a, b)
    differing = {d["what"]: (d["values"]["a"], d["values"]["b"]) for d in result["differing"]}
    assert differing == {
        "precision of training": ("float32", "bfloat16"),
        "precision of scoring": ("float32", "bfloat16"),
        "sentences per update": ("16", "32"),
        "updates": ("1212", "606"),
        "learning rate": ("2e-05", "0.0003"),
        "training data": ("511f", "622a"),
        "test data": ("a1", "b2"),
        "CPU": ("EPYC", "Xeon"),
        "threads": ("1", "4"),
        "accelerators": ("none", "H100"),
        "git commit": ("4956983", "bd433ce-dirty"),
        "argument weight_decay": ("0.01", "0"),
        "version of torch": ("2.13.0", "2.12.1"),
    }
    for text in (capsys.readouterr().out, (tmp_path / "out" / "report.md").read_text()):
        parts = text.split("\n\n")
        assert parts[2].startswith("Note that the runs differ in more than the experiment: in precision of training, ")
        assert "| recorded | a | b |" in parts[4] and "| version of torch | 2.13.0 | 2.12.1 |" in parts[4]


def test_what_a_run_has_not_recorded_is_said(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    a = recorded_run(tmp_path / "a", rows, ENVIRONMENT, {"data_fingerprint": "a1"}, **ARGUMENTS)
    b = write_run(tmp_path / "b", rows, CLASSES)
    result = report_of(tmp_path, a, b)
    differing = {d["what"]: d["values"]["b"] for d in result["differing"]}
    assert set(differing) >= {"updates", "package versions", "other arguments"} and set(differing.values()) == {None}
    assert result["unrecorded"] == ["precision of scoring"]
    text = capsys.readouterr().out
    assert "| updates | 1212 | not recorded |" in text and "Not recorded for any run: precision of scoring." in text
    report_of(tmp_path, b, write_run(tmp_path / "c", rows, CLASSES))
    assert "There is no record of how the runs were made." in capsys.readouterr().out


def test_names_of_run_folders_inject_nothing_and_may_be_no_utf8(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    names = (b"a\r# Heading", b"![x](data:b", b"c](d\x1b]0;t\x07", b"t\xff", b"t\xfe", "\u2028e\u202e".encode())
    folders = [write_run(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)), rows) for name in names]
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/out\xff"))
    done = subprocess.run([sys.executable, report.__file__, *folders, "--output_dir", odd], capture_output=True)
    assert done.returncode == 0, done.stderr
    text = (odd / "report.md").read_bytes().decode("utf-8")
    for shown in (text, done.stdout.decode("utf-8")):
        assert all(line.isprintable() for line in shown.split("\n"))
        assert "\n# Heading" not in shown and "t\\\\xff" in shown and "t\\\\xfe" in shown
        assert "!\\[x\\](data:b" in shown
    assert set(json.loads((odd / "report.json").read_text())["runs"]) >= {"a\r# Heading", "t\\xff", "t\\xfe"}


def test_the_reports_intervals_are_those_of_metrics_json(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    rows += [r | {"id": len(rows) + r["id"]} for r in rows[:20]]  # copies, which count as one in both
    result = report_of(tmp_path, write_run(tmp_path / "run", rows, CLASSES))["runs"]["run"]["own"]
    gold, predicted, tokens = ([r[key] for r in rows] for key in ("gold", "predicted", "tokens"))
    expected = ner_metric().compute(predictions=predicted, references=gold, tokens=tokens)["intervals"]
    assert result["overall"]["intervals"] == expected["overall"]
    assert all(result["per_class"][c]["intervals"] == expected["per_class"][c] for c in CLASSES)
