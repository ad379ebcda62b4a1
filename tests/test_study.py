"""A study: planned, made once, continued after what went wrong, recorded without text, and compared."""

import json
import random
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import scored_runs
import yaml
from conftest import ROOT, write_jsonl
from scipy import stats

import inference
import study
import train
from arguments import parse
from benchmarks import time_to_score
from ner.errors import InputError
from ner.files import optional_record
from ner.report.page import html_page
from ner.report.pictures import line_plot
from ner.report.tables import table
from ner.study import running
from ner.study.class_map import changed_mentions, class_map, record_parts
from ner.study.map_page import opened_cell
from ner.study.plan import detectable, read_study, what_runs_find
from ner.study.records import record
from ner.study.report import chosen, comparison_parts

QUICK = {"num_train_epochs": 1, "use_cpu": True, "learning_rate": 1e-3}
SETTINGS = {"default": {}, "masked": {"masked_training": True}}
HALF = {"overall": {"f1": 0.5}, "per_class": {}}


def write(path: Path, **content: object) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def write_record(
    folder: Path, metrics: dict, split: str = "test", run: Path | None = None, **environment: object
) -> None:
    """A record, and the same scores in the folder of its `run`."""
    (folder / split).mkdir(parents=True)
    for place in filter(None, (folder, run)):
        (place / split / "metrics.json").write_text(json.dumps(metrics))
    (folder / "environment.json").write_text(json.dumps(environment))


@pytest.fixture
def scripts(monkeypatch) -> list[tuple[str, str]]:
    """The scripts that runs call, with the name of each one's run; they run in this process."""
    mains, calls = {"train.py": train.main, "inference.py": inference.main}, []

    def script(planned: object, name: str, *words: str, log_of: Path) -> None:
        calls.append((name, log_of.name))
        assert name != "inference.py" or "--use_cpu=True" in words
        mains[name](list(words))

    monkeypatch.setattr(running, "script", script)
    return calls


@pytest.mark.slow
def test_runs_are_made_once_recorded_without_text_and_compared(scripts, corpus, encoders, tmp_path, capsys, caplog):
    parts = {"comparisons": {"both": list(SETTINGS)}, "spread": {"micro": 0.3}}
    file = write(tmp_path / "s.yaml", common=QUICK, settings=SETTINGS, seeds=2, **parts)
    where = ["--datasets", str(corpus), "--encoders", str(encoders["bert"]), "--output_dir", str(tmp_path / "runs")]
    study.main(["plan", str(file), *where])
    lines = capsys.readouterr().out.splitlines()
    names = ["default-1", "masked-1", "default-2", "masked-2"]
    assert [shlex.split(line)[-2:] for line in lines] == [["--only", name] for name in names]

    study.main(shlex.split(lines[1])[2:])  # a line of the plan, as another program runs it
    study.main(["run", str(file), *where, "--jobs", "1"])
    ran = [(script, name) for name in ("masked-1", *(n for n in names if n != "masked-1"))
           for script in ("train.py", "inference.py")]  # fmt: skip
    assert scripts == ran
    study.main(["run", str(file), *where])
    assert len(scripts) == 8 and not list((tmp_path / "runs").rglob("*.safetensors"))
    assert caplog.messages[-1] == "nothing to do: the runs are finished"
    assert "; about " in caplog.text and "left" in caplog.text

    capsys.readouterr()
    study.main(["report", str(file), *where])
    shown, records = capsys.readouterr().out, tmp_path / "runs" / "records"
    own = [optional_record(records / f"default-{seed}" / "test" / "metrics.json")["overall"]["f1"] for seed in (1, 2)]
    cell = f"{100 * statistics.mean(own):.1f} ± {100 * statistics.stdev(own):.1f} |"
    assert next(line for line in shown.splitlines() if line.startswith("| default |")).endswith(cell)
    assert "**masked against default**" in shown and "(both/report.html)" in shown
    assert (tmp_path / "runs" / "both" / "report.html").is_file()
    everything = "".join(path.read_text(encoding="utf-8") for path in records.rglob("*.*"))
    assert str(tmp_path) not in everything and "Bergen" not in everything

    other = ["--output_dir", str(tmp_path / "elsewhere"), "--records", str(records)]
    study.main(["report", str(file), *where[:4], *other])  # from the records alone
    assert capsys.readouterr().out == shown.replace("[The whole report](both/report.html)\n", "").rstrip("\n") + "\n"
    environment = optional_record(records / "default-1" / "environment.json")
    environment.pop("train_seconds")
    (records / "default-1" / "environment.json").write_text(json.dumps(environment))  # as of an old run
    study.main(["report", str(file), *where[:4], *other])
    assert f"| default | {environment['update_steps']} | – |" in capsys.readouterr().out
    study.main(["plan", str(file), *where])
    assert capsys.readouterr().out == ""
    assert (
        "4 of 4 runs are finished" in caplog.text
        and "both: with 2 seeds each, differences from default that are detected" in caplog.text
    )


# What a study calls in place of train.py and inference.py: it leaves what they leave, and fails once if told so.
PROGRAM = """
import sys
from pathlib import Path
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
run = Path(options["--output_dir"])
for place in ("test", "checkpoint-8", "checkpoint-mine"):
    (run / place).mkdir(parents=True, exist_ok=True)
with open(run / "words", "a") as file:
    print(*sys.argv[1:], file=file)
(run / "args.yaml").write_text("{dataset: a, model_checkpoint: b, masked_training: false, output_dir: c}")
(run / "checkpoint-8" / "trainer_state.json").write_text("{}")
if "--fails" in options and "--resume_from_checkpoint" not in options:
    sys.exit("error: it failed")
(run / "model.safetensors").write_text("weights")
(run / "environment.json").write_text('{"update_steps": 9}')
(run / "test" / "metrics.json").write_text('{"overall": {"f1": 0.5}, "per_class": {}}')
(run / "manifest.json").write_text("{}")
"""


@pytest.mark.slow
def test_what_failed_goes_on_from_its_checkpoint_and_the_others_are_made(tmp_path, fails, caplog):
    program, runs = tmp_path / "program.py", tmp_path / "runs"
    program.write_text(PROGRAM)
    file = write(tmp_path / "s.yaml", program=str(program), settings={"wrong": {"fails": "once"}, "right": {}})
    command = ["run", str(file), "--output_dir", str(runs), "--jobs", "2"]
    assert "1 of 2 runs failed: wrong-1; fix the cause, and run the command again" in fails(study.main, *command)
    assert f"wrong-1: {program} failed (status 1): error: it failed; see {runs / 'wrong-1.log'}" in caplog.text
    assert [path.name for path in (runs / "records").iterdir()] == ["right-1"]
    assert not list((runs / "right-1").glob("*.safetensors"))
    assert [path.name for path in (runs / "right-1").glob("checkpoint-*")] == ["checkpoint-mine"]  # its owner's
    study.main([*command, "--keep_checkpoints"])
    first, second = (runs / "wrong-1" / "words").read_text().splitlines()
    assert second == f"{first} --resume_from_checkpoint true"
    assert len((runs / "right-1" / "words").read_text().splitlines()) == 1
    assert (runs / "wrong-1" / "model.safetensors").exists() and (runs / "records" / "wrong-1").is_dir()


@pytest.mark.slow
def test_ray_makes_the_runs_on_the_workers_of_a_cluster(corpus, encoders, tmp_path, fails, monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})  # it runs nothing itself
    workers = [cluster.add_node(num_cpus=1) for _ in range(2)]
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    settings = {"a": {}, "b": {}, "wrong": {"optim": "none"}}
    file = write(tmp_path / "s.yaml", common=QUICK | {"max_steps": 2}, settings=settings)
    where = ["--datasets", corpus, "--encoders", encoders["bert"], "--output_dir", tmp_path / "runs"]
    try:
        assert "1 of 3 runs failed: wrong-1" in fails(study.main, "run", file, *where, "--engine", "ray")
        assert {node["NodeID"] for node in ray.nodes() if node["Resources"].get("CPU")} == {w.node_id for w in workers}
    finally:
        ray.shutdown()
        cluster.shutdown()
    records = sorted(path.parent.name for path in (tmp_path / "runs" / "records").glob("*/environment.json"))
    assert records == ["a-1", "b-1"]


@pytest.mark.slow
def test_an_interrupted_study_ends_its_scripts_and_starts_no_others(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(f"import os, time; open({str(tmp_path)!r} + f'/{{os.getpid()}}.pid', 'w'); time.sleep(600)")
    file = write(tmp_path / "s.yaml", program=str(program), settings={"a": {}, "b": {}, "c": {}})
    command = [sys.executable, "study.py", "run", file, "--jobs", "1", "--output_dir", tmp_path / "runs"]
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (pids := list(tmp_path.glob("*.pid"))):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait() == 143
    assert list(tmp_path.glob("*.pid")) == pids and not Path(f"/proc/{pids[0].stem}").exists()


def test_a_script_that_is_started_after_an_interrupt_ends_at_once(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text("import time; time.sleep(600)")
    planned = read_study(write(tmp_path / "s.yaml", settings={"a": {}}))
    monkeypatch.setattr(running, "STOPPED", threading.Event())
    running.STOPPED.set()
    with pytest.raises(InputError, match=r"a-1: .*program.py failed \(status -15\)"):
        running.script(planned, str(tmp_path / "program.py"), log_of=tmp_path / "a-1")


def test_a_study_is_named_by_its_file_whatever_its_options_are(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write(Path("own.yaml"), settings={"a": {"learning_rate": "1e-4"}, "b": {}})
    write_record(Path("runs/own/records/a-1"), HALF, update_steps=1)
    study.main(["report", str(file)])
    assert Path("runs/own/study.md").read_text(encoding="utf-8") == capsys.readouterr().out
    assert read_study(file).question == "own"


def test_a_grid_is_every_combination_and_a_group_has_one_data_set_and_one_encoder(tmp_path):
    grid = {"learning_rate": ["1e-4", "3e-4"], "num_train_epochs": [2, 4]}
    file = write(tmp_path / "s.yaml", grid=grid, datasets={"a": "x/a", "b": "x/b"}, encoders=["enc"], seeds=[3, 7])
    found = read_study(file)
    assert len(found.runs) == 16 and found.groups == ["a", "b"]
    assert found.runs[0].name == "a/learning_rate-1e-4_num_train_epochs-2-3"
    assert found.runs[0].words == [
        "--learning_rate", "1e-4", "--num_train_epochs", "2", "--dataset", "x/a", "--model_checkpoint", "enc",
        "--seed", "3",
    ]  # fmt: skip


def test_one_value_is_a_list_of_one(tmp_path):
    file = write(tmp_path / "s.yaml", grid={"num_train_epochs": 12}, datasets="corpus", encoders="bert")
    assert [run.words for run in read_study(file).runs] == [
        ["--num_train_epochs", "12", "--dataset", "corpus", "--model_checkpoint", "bert", "--seed", "1"]
    ]


@pytest.mark.parametrize("again", ["a", "A"])  # on macOS, `a-1` and `A-1` are one folder
def test_a_setting_that_a_file_has_twice_is_refused(again, tmp_path):
    (tmp_path / "x.yaml").write_text(f"settings:\n  a: {{seed: 1}}\n  b: {{}}\n  {again}: {{}}\n")
    with pytest.raises(InputError, match=rf"found '{again}' twice; expected names that differ.* line 4"):
        read_study(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"setings": {"a": {}}}, "found the key 'setings'; expected .*; did you mean 'settings'"),
        ({"settings": {"a": {"learning_rat": 1}}}, "a: unknown option learning_rat; did you mean 'learning_rate'"),
        ({"settings": {"a": {"learning-rate": 1}}}, "a: unknown option learning-rate; did you mean 'learning_rate'"),
        ({"settings": {"a": {}}, "common": {"sed": 1}}, "a: unknown option sed; did you mean 'seed'"),
        ({"settings": {"a": {}}, "comparisons": {"x": ["a", "b"]}}, "x: found the setting 'b'; expected some of a"),
        ({"settings": {"a": {}}, "curves": {"PER": {0: "a", 1: "b"}}}, "PER: found the setting 'b'; expected some of"),
        ({"settings": {"a": {}}, "curves": {"PER": {"x": "a"}}}, "could not convert string to float: 'x'"),
        ({"settings": {"a": {}}, "curves": {"PER": ["a"]}}, "docs/study.md says what a study file has"),
        ({"settings": {"a": {}}, "removal": {"classes": ["A", "B"]}}, "found removal and settings; expected no"),
        ({"settings": {"a": {}}, "comparisons": {"x": []}}, "x: found no setting; expected some of a"),
        ({"settings": {"a": {}}, "threads": 0}, "threads: found 0; expected 1 or more"),
        ({"settings": {"a": {}}, "split": "dev"}, "split: found 'dev'; expected test or validation"),
        ({"removal": {"classes": ["A"], "size": 3}}, "unexpected keyword argument 'size'; docs/study.md says"),
        ({"removal": {"replicates": 3}}, "'classes'; docs/study.md says what a study file has"),
        ({"settings": {"a": 5}}, "docs/study.md says what a study file has"),
        ({"settings": {"a": {}}, "datasets": ["x/a", "y/a"]}, "found x/a, y/a; expected different last parts"),
        ({"settings": ["a"]}, "docs/study.md says what a study file has"),
        ({"removal": {"classes": ["A", "B"]}, "seeds": 3}, "found removal and seeds; expected no"),
        ({"settings": {"a": {}}, "seeds": 0}, "seeds: found none; expected one or more"),
        ({"settings": {"a": {}}, "seeds": ["1", "01"]}, "seeds: found 1 01; expected one or more different seeds"),
        ({"settings": {"a": {"selected_categories": ["PER"]}}}, "a: found selected_categories; expected"),
    ],
)
def test_wrong_studies_are_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_study(write(tmp_path / "s.yaml", **content))


def test_what_the_settings_compare_is_not_replaced_on_the_command_line(tmp_path, fails):
    file = write(tmp_path / "s.yaml", settings={"a": {"model_checkpoint": "x"}, "b": {"model_checkpoint": "y"}})
    message = fails(study.main, "plan", file, "--encoders", "z")
    assert "s.yaml: a: found model_checkpoint, which --encoders would replace; leave one out" in message


def test_finished_runs_on_other_data_or_of_other_options_are_said(tmp_path, caplog):
    gained = "lr_scheduler_type: cosine\nclassifier_learning_rate: 0.1\n"
    same = "gradient_accumulation_steps: 1\n"  # the default
    same += "report_to: none\nhub_model_id: me/tagger\n"  # which no run records
    (tmp_path / "c.yml").write_text(f"num_train_epochs: 5\n{gained}{same}")
    setting = {"config": str(tmp_path / "c.yml"), "learning_rate": "3e-4", "selected_categories": ["@name"]}
    file = write(tmp_path / "s.yaml", settings={"a": setting}, encoders="x/enc")
    folder = tmp_path / "out" / "records" / "a-1"
    write_record(folder, HALF, update_steps=1)
    write(folder / "args.yaml", dataset="first", model_checkpoint="enc", selected_categories=["@name"],
          num_train_epochs=3.0, learning_rate=3e-4, classifier_learning_rate=None, seed=1)  # fmt: skip
    for data, said in (("some/first", False), ("second", True)):
        caplog.clear()
        study.main(["plan", str(file), "--datasets", data, "--output_dir", str(tmp_path / "out")])
        assert ("--dataset is first instead of second in finished runs (1)" in caplog.text) == said
        assert "model_checkpoint" not in caplog.text and "--learning_rate" not in caplog.text
        assert "--num_train_epochs is 3.0 instead of 5 in finished runs (1), which are not repeated" in caplog.text
        assert "--lr_scheduler_type is linear instead of cosine" in caplog.text
        assert "--classifier_learning_rate is None instead of 0.1" in caplog.text
        assert "gradient_accumulation_steps" not in caplog.text
        assert "report_to" not in caplog.text and "hub_model_id" not in caplog.text


def test_a_finished_run_that_is_not_recorded_yet_is_said_if_it_has_other_options(tmp_path, caplog):
    file = write(tmp_path / "s.yaml", settings={"a": {"train_file": "data/a.conll", "learning_rate": "1e-3"}})
    run = tmp_path / "out" / "a-1"
    run.mkdir(parents=True)
    write(run / "args.yaml", dataset="/data/a.conll", train_file=None, model_checkpoint="enc", masked_training=False,
          learning_rate=3e-4, seed=1, output_dir=str(run))  # fmt: skip
    for is_finished in (False, True):
        if is_finished:
            (run / "manifest.json").write_text("{}")
        study.main(["plan", str(file), "--output_dir", str(tmp_path / "out")])
        assert ("--learning_rate is 0.0003 instead of 1e-3 in finished runs (1)" in caplog.text) == is_finished
        assert ("instead of" in caplog.text) == is_finished
    assert "a.conll" not in caplog.text


def test_a_record_has_the_splits_that_were_scored_and_the_options_in_their_order(tmp_path):
    run, folder = tmp_path / "run", tmp_path / "record"
    write_record(run, HALF, "validation", update_steps=1)
    write(run / "args.yaml", seed=1, dataset="sample")
    record(run, folder)
    record(run, folder)  # into the folder of an earlier record
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "args.yaml", "environment.json", "validation/metrics.json",
    }  # fmt: skip
    assert (folder / "args.yaml").read_text() == "seed: 1\ndataset: sample\n"


@pytest.mark.parametrize(("seconds", "text"), [(29.4, "29 s"), (60.0, "1 min"), (3900.0, "1 h 5 min")])
def test_a_run_whose_training_is_finished_is_only_scored(seconds, text, tmp_path, monkeypatch, caplog):
    file, run, called = write(tmp_path / "s.yaml", settings={"a": {}}), tmp_path / "out" / "a-1", []
    run.mkdir(parents=True)
    write(run / "args.yaml", dataset="sample", model_checkpoint="enc", masked_training=False, output_dir=str(run))
    (run / "manifest.json").write_text("{}")

    def script(planned: object, name: str, *words: str, log_of: Path) -> None:
        called.append(name)
        write_record(log_of, HALF, update_steps=1, train_seconds=seconds)

    monkeypatch.setattr(running, "script", script)
    study.main(["run", str(file), "--output_dir", str(tmp_path / "out")])
    assert called == ["inference.py"]
    assert caplog.messages[-1] == f"1 of 1: a-1 has F1 50.0 on test, after {text} of training"


def test_scripts_find_the_modules_of_the_study_and_a_log_that_is_no_utf8_is_shown(tmp_path, fails, caplog, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "own_module.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    program = tmp_path / "program.py"
    program.write_text(r"import own_module, ner, sys; sys.stderr.buffer.write(b'error: caf\xe9\n'); sys.exit(2)")
    file = write(tmp_path / "s.yaml", program=str(program), settings={"a": {}})
    assert "1 of 1 runs failed: a-1" in fails(study.main, "run", file, "--output_dir", tmp_path / "runs")
    assert "failed (status 2): error: caf\ufffd; see" in caplog.text


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_study_of_the_repository_is_one_that_train_takes(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = read_study(path)
    assert found.name == path.stem and len({run.name for run in found.runs}) == len(found.runs) > 1
    for run in found.runs if found.program == "train.py" else ():
        parse(run.words, "")


def test_a_plan_corrects_the_classes_for_more_tests_than_micro_f1(tmp_path):
    settings = {"a": {}, "b": {}, "c": {}}
    planned = read_study(write(tmp_path / "s.yaml", settings=settings, seeds=5))
    assert what_runs_find(planned, {"micro": 1.0, "x": 99.0})[0].endswith(", x none")
    (line,) = what_runs_find(planned, {"micro": 1.0, "x": 1.0, "y": 1.0})
    classes, micro = detectable(1.0, 5, tests=4), detectable(1.0, 5, tests=2)
    assert classes > micro and line.endswith(f": micro {micro:.1f}, x {classes:.1f}, y {classes:.1f}")


def test_the_spread_that_a_plan_assumes_is_that_of_the_finished_runs(tmp_path, caplog):
    """Within settings, and not of a class that some of them lack."""
    file = write(tmp_path / "s.yaml", settings={"a": {}, "b": {}}, seeds=3, spread={"micro": 9.0})
    for name, f1 in (("a-1", 0.50), ("a-2", 0.54), ("b-1", 0.70), ("b-2", 0.76), ("b-3", 0.73)):
        of_classes = {"X": {"f1": f1}, "Y": {"f1": f1} if name[0] == "b" else None}
        write_record(tmp_path / "records" / name, {"overall": {"f1": f1}, "per_class": of_classes}, update_steps=1)
    spread = ((2 * 2**2 + 2 * 3**2) / (1 + 2)) ** 0.5
    study.main(["plan", str(file), "--records", str(tmp_path / "records")])
    shown = ", ".join(f"{y} {detectable(spread, 3, tests=1):.1f}" for y in ("micro", "X"))
    assert caplog.messages[-1].endswith(f"in points: {shown}")


def test_each_group_has_a_picture_beside_the_page_that_names_it(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("ner.study.report.line_plot", lambda f1, **names: drawn.append(f1) or line_plot(f1, **names))
    curves = {"across": "share", "micro": {0: "a", 1: "b"}}
    datasets = {"one": "x", "my two": "y"}
    file = write(tmp_path / "s.yaml", settings={"a": {}, "b": {}}, datasets=datasets, curves=curves)
    for run in read_study(file).runs:
        write_record(tmp_path / "out" / "records" / run.name, HALF, update_steps=1)
    study.main(["report", str(file), "--output_dir", str(tmp_path / "out")])
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", (tmp_path / "out" / "study.md").read_text(encoding="utf-8"))
    assert pictures == ["one-curves.svg", "my%20two-curves.svg"]
    assert all((tmp_path / "out" / unquote(picture)).is_file() for picture in pictures)
    assert drawn == [{"micro": [(0, 50), (1, 50)]}] * 4  # in light and in dark colours
    assert "All scores are on the test split." in (tmp_path / "out" / "study.md").read_text(encoding="utf-8")


def test_a_run_without_a_class_has_no_f1_of_it_and_no_micro_f1_to_compare(tmp_path, monkeypatch, caplog, fails):
    drawn = []
    monkeypatch.setattr("ner.study.report.line_plot", lambda f1, **names: drawn.append(f1) or line_plot(f1, **names))
    where = ["--records", tmp_path / "records", "--output_dir", tmp_path / "out"]
    for name, of_b in (("a-1", {"f1": 0.3}), ("b-1", None)):
        scores = {"overall": {"f1": 0.5}, "per_class": {"A": {"f1": 0.5}, "B": of_b}}
        write_record(tmp_path / "records" / name, scores, update_steps=1)
    for title, curves in (("s", {"B": {0: "a", 1: "b"}, "micro": {0: "a", 1: "b"}}), ("t", {"C": {0: "a"}})):
        write(tmp_path / f"{title}.yaml", settings={"a": {}, "b": {}}, curves={"across": "share"} | curves)
    study.main(["report", *map(str, [tmp_path / "s.yaml", *where])])
    assert drawn[0] == {"B": [(0, 30), (1, 0)]} and "so micro F1 is not drawn" in caplog.text
    assert "curves: no run has an F1 of 'C'" in fails(study.main, "report", tmp_path / "t.yaml", *where)


def test_choosing_the_best_of_equals_flatters_it_by_as_much_as_new_seeds_are_worse():
    def scores(f1: dict[str, dict[int, float]], *more: str) -> dict[str, dict[int, dict]]:
        names = ("micro", "A", *more)
        return {
            setting: {n: {"f1": dict.fromkeys(names, v), "data": more} for n, v in its.items()}
            for setting, its in f1.items()
        }

    alone = chosen(scores({"a": {1: 0.5}, "b": {1: 0.6}}))
    assert alone == "The best is b: 60.0. No other setting has the same two or more seeds to test the choice on."
    f1 = {"a": {1: 0.50, 2: 0.60, 3: 0.70}, "b": {1: 0.58, 2: 0.61, 3: 0.64}}
    text = chosen(scores(f1))
    assert text.startswith("The best is b: 61.0 (95 % interval over seeds 53.5 to 68.5). ")
    # Without the first seed, a is chosen (65.0, and 50.0 on it); else b (61.0 and 61.0; 59.5 and 64.0).
    assert f"the best of the 2 settings with these seeds is {(15.0 + 0.0 - 4.5) / 3:.1f} points worse" in text
    # A seed that only others have is not left out, and a setting that lacks a seed is no rival.
    assert chosen(scores(f1 | {"c": {1: 0.6}, "d": {4: 0.5, 5: 0.5}})) == text
    assert chosen(scores({"a": {1: 0.5, 2: 0.6}})).startswith("The best is a: 55.0. No other setting")
    other = scores({"c": {1: 0.9}}, "B")
    other["c"][1]["data"] = ()
    for others in (other, {"c": {1: scores(f1)["a"][1] | {"data": "of another corpus"}}}):
        assert "know different classes, or were scored on other data" in chosen(scores(f1) | others)


def test_groups_of_one_setting_are_chosen_together(tmp_path):
    """As where the hardware of some seeds has another precision."""
    numbers = {"difference": 0.0, "low": -0.1, "high": 0.1, "p": 1.0, "p_holm": 1.0, "detectable": None}
    f1, difference = {"mean": 0.5, "sd": 0.1}, dict.fromkeys(("micro", "macro"), numbers)
    groups = []
    for setting, scores in (("a", {1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8}), ("b", dict.fromkeys(range(1, 5), 0.6))):
        for seed, score in scores.items():
            metrics = {"overall": {"f1": score}, "per_class": {}}
            write_record(tmp_path / f"{setting}-{seed}", metrics, "validation", update_steps=1)
        for seeds in ((1, 2), (3, 4)):
            runs = [f"{setting}-{seed}" for seed in seeds]
            groups.append({"runs": runs, "f1": dict.fromkeys(("micro", "macro"), f1), "difference": difference})
    differing = [{"what": what} for what in ("--bf16", "precision in training", "update_steps in training")]
    result = {"groups": groups, "support": {}, "differing": differing}
    file = write(tmp_path / "s.yaml", settings={"a": {}, "b": {}}, seeds=4, split="validation")
    parts = comparison_parts(read_study(file, records=tmp_path), "", result)
    means, *differences = [content for kind, content in parts if kind == "table"]
    assert [row[0] for row in means["rows"]] == ["a-1", "a-3", "b-1", "b-3"]
    assert [each["title"] for each in differences] == [f"{name} against a-1" for name in ("a-3", "b-1", "b-3")]
    texts = [content for kind, content in parts if kind == "p"]
    assert texts[0].startswith("No difference is shown between a-3 (2 seeds) and a-1 (2 seeds) in micro F1 (")
    assert any(text.startswith("The best is a: 65.0 (") for text in texts)
    assert "Note that these runs also differ in precision in training." in texts


def test_with_three_seeds_the_standard_error_is_that_of_welchs_test(tmp_path, capsys):
    f1 = {"base": [0.5, 0.52, 0.54], "other": [0.6, 0.61, 0.65], "failed": [0.6, 0.0, 0.62]}
    file = write(tmp_path / "s.yaml", settings={setting: {} for setting in f1}, seeds=3, split="validation")
    for setting, seeds in f1.items():
        for seed, value in enumerate(seeds, 1):
            metrics = {"overall": {"f1": value}, "per_class": {"A": {"f1": value}}}
            write_record(tmp_path / "records" / f"{setting}-{seed}", metrics, "validation", update_steps=1)
    study.main(["report", str(file), "--records", str(tmp_path / "records"), "--output_dir", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    for setting in ("other", "failed"):
        difference = 100 * (np.mean(f1[setting]) - np.mean(f1["base"]))
        error = difference / stats.ttest_ind(f1[setting], f1["base"], equal_var=False).statistic
        assert f"| {difference:+.1f} ± {error:.1f} | " in shown


def test_without_a_comparison_the_report_has_the_scores_of_the_finished_runs(tmp_path, capsys, caplog):
    curves = {"across": "share", "A": {0: "base", 50: "masked", 100: "never"}, "B": {0: "base", 50: "masked"}}
    settings = {"never": {}, "base": {}, "other": {}, "masked": {}}
    file = write(tmp_path / "s.yaml", settings=settings, seeds=2, split="validation", curves=curves)
    for name, f1 in (("base-1", {"A": 0.5, "B": 0.3}), ("base-2", {"A": 0.54, "B": 0.3}),
                     ("other-1", {"A": 0.6, "B": 0.3}), ("masked-1", {"A": 0.6})):  # fmt: skip
        classes = {c: {"f1": f1[c]} if c in f1 else None for c in ("A", "B", "no mentions")}
        metrics = {"overall": {"f1": f1["A"]}, "per_class": classes}
        write_record(tmp_path / "records" / name, metrics, "validation", update_steps=1200)  # without seconds
    where = ["--records", str(tmp_path / "records"), "--output_dir", str(tmp_path / "out")]
    study.main(["report", str(file), *where])
    lines = capsys.readouterr().out.splitlines()
    assert "| setting | seeds | updates | micro | difference from base ± standard error | A | B |" in lines
    assert "| base | 2 | 1,200 | 52.0 ± 2.8 |  | 52.0 ± 2.8 | 30.0 ± 0.0 |" in lines
    # One seed against two, which are the only ones that show the spread: 2.83 · √(1 + 1/2) points.
    assert "| other | 1 | 1,200 | 60.0 | +8.0 ± 3.5 | 60.0 | 30.0 |" in lines
    assert "| masked | 1 | 1,200 | 60.0 |  | 60.0 | – |" in lines  # without B, its micro F1 is another score
    assert "![F1 in percent, mean over seeds, by share](curves.svg)" in lines
    assert "share</text>" in (tmp_path / "out" / "curves.svg").read_text(encoding="utf-8")
    assert "The settings know different classes, or were scored on other data, so none is named the best." in lines
    assert [r.message.split(": ")[1] for r in caplog.records if r.levelname == "WARNING"] == [
        "4 of 8 runs are not finished, and are left out",
        "has no comparison of these runs, and some of their predictions are missing, so nothing is tested",
    ]
    study.main(["plan", str(file), *where])
    assert "4 of 8 runs are finished" in caplog.text and "took" not in caplog.text


def test_settings_that_another_program_tells_apart_are_compared_as_such(tmp_path, undrawn):
    """Their args.yaml is the same but for the seed, and for where each machine has the data."""
    file = write(tmp_path / "s.yaml", settings={"a": {}, "b": {}}, program="studies/levers.py", seeds=2)
    out, rows = tmp_path / "out", scored_runs.sentences(random.Random(0))
    for name in ("a-1", "a-2", "b-2"):
        noisy, data = scored_runs.with_noise(rows, 0.2, len(name)), f"/machine_{name[-1]}/data"
        scored_runs.write_run(out / name, noisy, seed=int(name[-1]), dataset=data)
        write_record(out / "records" / name, HALF, run=out / name, update_steps=1)
    study.main(["report", str(file), "--output_dir", str(out)])
    groups = optional_record(out / "records" / "report.json")["groups"]
    assert [group["runs"] for group in groups] == [["a-1", "a-2"], ["b-2"]]


def test_a_comparison_on_another_split_leaves_that_of_the_studys_and_one_of_other_runs_is_said(
    tmp_path, undrawn, caplog, fails
):
    file, out = write(tmp_path / "s.yaml", settings={"a": {}, "b": {}}, seeds=2), tmp_path / "out"
    records, rows = out / "records", scored_runs.sentences(random.Random(0))
    for k, name in enumerate(("a-1", "b-1", "a-2", "b-2")):
        run = scored_runs.write_run(out / name, scored_runs.with_noise(rows[1:], 0.2, k), seed=int(name[-1]))
        (run / "test").rename(run / "validation")
        whole = scored_runs.write_run(tmp_path / name, scored_runs.with_noise(rows, 0.2, k))
        shutil.copytree(whole / "test", run / "test")
        if name[-1] == "1":
            for split in ("validation", "test"):
                scores = HALF | {"sentences": len(rows) - (split != "test")}
                write_record(records / name, scores, split, run, update_steps=1)
    report = ["report", str(file), "--output_dir", str(out)]
    assert "records: found no finished run that was scored on test; train" in fails(study.main, *report[:3], tmp_path)
    study.main(report)
    before = (records / "report.json").read_bytes()
    study.main([*report, "--split", "validation"])
    assert (records / "report.json").read_bytes() == before
    assert optional_record(records / "report_validation.json")["sentences"] == len(rows) - 1
    assert "so nothing is tested" not in caplog.text
    for name in ("a-2", "b-2"):  # made on another machine
        write_record(records / name, HALF, update_steps=1)
        shutil.rmtree(out / name)
    study.main(report)
    assert (records / "report.json").read_bytes() == before
    assert "report.json: has no comparison of these runs, and some of their predictions are missing" in caplog.text
    caplog.clear()
    for name in ("a-2", "b-2", "a-1"):
        shutil.rmtree(records / name)
    write_record(records / "a-1", HALF | {"overall": {"f1": 0.6}}, update_steps=1)  # made again
    shutil.rmtree(out / "a-1")
    study.main(report)
    assert "so nothing is tested" in caplog.text


def test_predictions_of_other_runs_than_the_recorded_ones_are_not_compared(tmp_path, undrawn, caplog):
    """Somebody has made the runs of published records again."""
    file, out = write(tmp_path / "s.yaml", settings={"a": {}, "b": {}}), tmp_path / "out"
    report = ["report", str(file), "--output_dir", str(out), "--records", str(tmp_path / "published")]
    for k, name in enumerate(("a-1", "b-1")):
        rows = scored_runs.with_noise(scored_runs.sentences(random.Random(0)), 0.2, k)
        run = scored_runs.write_run(out / name, rows, seed=1)
        write_record(tmp_path / "published" / name, HALF, run=run, update_steps=1)
    study.main(report)
    before = (tmp_path / "published" / "report.json").read_bytes()
    assert "report/report.html" in (out / "study.html").read_text()
    (run / "test" / "metrics.json").write_text(json.dumps(HALF | {"overall": {"f1": 0.7}}))
    (run / "test" / "predictions.jsonl").unlink()
    scored_runs.write_run(tmp_path / "again", rows[:-1])
    shutil.copy(tmp_path / "again" / "test" / "predictions.jsonl", run / "test")
    study.main(report)
    assert (tmp_path / "published" / "report.json").read_bytes() == before
    assert "report/report.html" not in (out / "study.html").read_text()


@pytest.mark.parametrize(
    ("name", "place", "least", "cited"),
    [
        ("masking", "multinerd_en", 40, {"micro | -0.2 | -0.4 to -0.03 | not after Holm | 0.027 | 0.053 |":
                                         "-0.2 (-0.4 to -0.03), p = 0.053"}),
        ("second_encoder", "second_encoder", 8, {"micro | +0.7 | 0.1 to 1.4 | higher | 0.032 | 0.032 |":
                                                 "+0.7 (0.1 to 1.4), p = 0.032"}),
        ("ways", "ways", 5, {"micro | -1.4 | -1.7 to -1.2 | lower | < 0.001 | < 0.001 |": "1.4 points (1.2 to 1.7)",
                             "micro | -2.6 | -3.1 to -2.1 | lower | < 0.001 | < 0.001 |": "2.6 points (2.1 to 3.1)"}),
        ("levers", "levers", 40, {}),
    ],
)  # fmt: skip
def test_the_records_of_the_repository_give_its_tables(name, place, least, cited, tmp_path, capsys):
    """Those that stand on the page of the records, and the numbers that the README has of them."""
    records = ROOT / "results" / place
    where = ["--records", str(records), "--output_dir", str(tmp_path)]
    study.main(["report", str(ROOT / "studies" / f"{name}.yaml"), *where])
    shown = capsys.readouterr().out
    results = (records / "README.md").read_text(encoding="utf-8").split("## The data")[0]
    rows = [line for line in results.splitlines() if line.startswith("|")]
    assert len(rows) > least and set(rows) <= set(shown.splitlines())
    for row, text in cited.items():
        assert row in shown and text in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_records_of_the_map_give_what_its_page_and_the_readme_say(tmp_path, capsys):
    records = ROOT / "results" / "interference"
    where = ["--records", str(records), "--output_dir", str(tmp_path)]
    study.main(["report", str(ROOT / "studies" / "interference.yaml"), *where])
    shown, page = capsys.readouterr().out, " ".join((records / "README.md").read_text(encoding="utf-8").split())
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "Of 140 pairs of classes, over 78 runs: 5 with a loss, 0 with a gain, 37 with" in shown
    assert "98 of the 140 pairs are open" in page and "five of the 140 effects are significant" in readme
    for text in (shown, page):
        assert "rank correlation -0.28, p = 0.002" in text
    clearest = scored_runs.table_of(
        shown, "The clearest effects, and the parts of their errors for each 100 gold entities"
    )
    cited = {"LOC → ANIM": "ANIM loses 2.0", "LOC → ORG": "ORG 1.1", "PER → ORG": "ORG loses 1.2",
             "FOOD → ANIM": "ANIM loses 1.3", "ORG → LOC": "LOC loses 0.4"}  # fmt: skip
    assert set(list(clearest)[2:7]) == set(cited)
    for pair, text in cited.items():
        assert abs(float(clearest[pair][0])) == pytest.approx(float(text.split()[-1]), abs=0.051)
        assert text in page and text in readme


def test_each_recorded_comparison_is_that_of_the_runs_beside_it():
    comparisons = {path: optional_record(path) for path in (ROOT / "results").rglob("*.json")}
    comparisons = {path: content for path, content in comparisons.items() if "groups" in content}
    for path, content in comparisons.items():
        split = (
            "validation" if path.stem.endswith("_validation") or path.is_relative_to(ROOT / "results/fast") else "test"
        )
        runs = [run for group in content["groups"] for run in group["runs"]]
        scored = [optional_record(path.parent / run / split / "metrics.json")["overall"]["f1"] for run in runs]
        assert content["micro"] == dict(zip(runs, scored, strict=True)), path
    assert len(comparisons) > 20


def test_the_records_of_the_repository_give_the_table_of_seconds(monkeypatch, capsys):
    records = ROOT / "results" / "time_to_score"
    monkeypatch.setattr(sys, "argv", ["time_to_score", str(records)])
    time_to_score.main()
    tables, _, _ = (records / "README.md").read_text(encoding="utf-8").partition("<picture>")
    rows = [line for line in tables.splitlines() if line.startswith("|")]
    assert len(rows) > 10 and rows == [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]


def test_a_study_without_data_sets_leaves_those_of_the_config_file(tmp_path):
    (run,) = read_study(write(tmp_path / "s.yaml", common={"config": "c.yaml"}, settings={"a": {}})).runs
    assert run.words == ["c.yaml", "--seed", "1"]


CLASSES = ["A", "B", "C", "D", "E", "F", "G"]


def test_no_run_of_a_map_keeps_a_class_that_the_map_does_not_name(tmp_path):
    for run in read_study(write(tmp_path / "map.yaml", removal={"classes": CLASSES})).runs:
        place = run.words.index("--selected_categories") + 1
        kept = [name for name in CLASSES if name not in run.removed]
        assert run.words[place : place + len(kept) + 1] == [*kept, "--seed"]


def test_a_plan_says_which_effects_of_a_map_its_runs_cannot_tell_apart(tmp_path):
    def lines(count: int, **more: int) -> list[str]:
        return what_runs_find(read_study(write(tmp_path / "m.yaml", removal={"classes": CLASSES[:count], **more})), {})

    (none,) = lines(7)
    assert none.startswith("map: these runs cannot tell 42 of 42 effects from others; add replicates")
    some, rest = lines(6)
    assert "cannot tell 24 of 30 effects" in some and rest.startswith("map: the standard error of an effect is ")
    (whole,) = lines(7, replicates=3)
    assert "standard error" in whole


def test_a_map_is_not_of_another_split(tmp_path, fails):
    file = write(tmp_path / "m.yaml", removal={"classes": CLASSES})
    where = ["--split", "validation", "--output_dir", tmp_path]
    assert "--split: found validation; a map is that of" in fails(study.main, "report", file, *where)


@pytest.fixture
def removal(tmp_path) -> tuple[Path, Path]:
    """A removal study of seven classes, and records of its runs in which removing A costs B ten points of F1."""
    rng = np.random.default_rng(0)
    file = write(tmp_path / "map.yaml", removal={"classes": CLASSES, "replicates": 4, "unmasked": 4})
    for run in read_study(file).runs:
        removed = [] if run.setting == "all" else run.setting.split("_")[1:]
        kept = [name for name in CLASSES if name not in removed]
        folder = tmp_path / "records" / run.name
        other = run.seed % 2  # on another machine, whose scores and errors all differ
        f1 = {name: 0.8 + rng.normal(0, 0.002) - 0.1 * (name == "B" and "A" in removed) for name in kept}
        f1 = {name: value - 0.1 * other for name, value in f1.items()}
        scores = {name: {"f1": value, "support": 300} for name, value in f1.items()}
        scores["G"] = {"f1": 0.5, "support": 20}  # too few to measure
        metrics = {"overall": {"f1": 0.8}, "per_class": {name: scores.get(name) for name in CLASSES}}
        write_record(folder, metrics, update_steps=9, train_seconds=60.0, processor=f"CPU {other}")
        write(folder / "args.yaml", masked_training=True, selected_categories=kept)
        parts = {
            y: dict.fromkeys(("missed", "swapped", "borders", "no mention", *CLASSES), 1 + 50 * other) for y in CLASSES
        }
        parts["B"]["A"] += 30 * ("A" in removed)
        (folder / "parts.json").write_text(json.dumps(parts))
    return file, tmp_path / "records"


def test_a_removal_study_shows_which_class_depends_on_which(removal, tmp_path, capsys):
    file, records = removal
    study.main(["report", str(file), "--records", str(records), "--output_dir", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    assert "Of 36 pairs of classes, over 32 runs: 1 with a loss, 0 with a gain, 35 with an effect" in shown
    row = next(line for line in shown.splitlines() if line.startswith("| A → B |"))
    effect = float(row.split("|")[2])
    assert -10.5 < effect < -9.5 and "| lower |" in row and "+10.0" in row  # 30 more false alarms on 300 mentions
    found = {
        (cell["removed"], cell["measured"]): cell
        for cell in optional_record(tmp_path / "out" / "study.json")["map"]["effects"]
    }
    assert found["A", "B"]["verdict"] == "lower" and ("A", "G") not in found
    page = (tmp_path / "out" / "study.html").read_text(encoding="utf-8")
    (loss,) = re.findall(r'<td class="shade below" style="--share: 1.0">\s*<button[^>]*><bdi>(.*)</bdi>', page)
    assert loss == f"{effect:.1f} ↓"
    assert "](map.svg)" in shown and "<figure>" not in page  # where the table is the picture


def test_a_map_needs_an_unmasked_run_and_tells_the_missing(removal, tmp_path, capsys, caplog):
    file, records = removal
    for folder in records.glob("all-*"):
        (folder / "environment.json").unlink()
    study.main(["report", str(file), "--records", str(records), "--output_dir", str(tmp_path / "out")])
    assert "Too few runs are finished for a map, or no class has 250 mentions" in capsys.readouterr().out
    two = [folder.name for folder in records.glob("all-*")][:2]
    finished = next(records.glob("without_*")).name
    where = [str(file), "--records", str(records)]
    study.main(["plan", *where, "--only", finished, *two, "--keep_checkpoints"])
    lines = capsys.readouterr().out.splitlines()
    command = ["python", "study.py", "run", *where, "--keep_checkpoints", "--only"]
    assert sorted(map(shlex.split, lines)) == [[*command, name] for name in sorted(two)]
    assert "1 of 3 runs are finished" in caplog.text
    assert "a finished training took 1 min on average; the others: about 2 min of computing" in caplog.text


def test_parts_are_counted_on_the_entities_of_all_classes_and_the_changed_mentions_shown(tmp_path):
    file = write(tmp_path / "map.yaml", removal={"classes": CLASSES, "unmasked": 1})
    runs, records = tmp_path / "runs", tmp_path / "records"
    planned = read_study(file, output_dir=runs, records=records)
    whole, without, unrecorded, other = planned.runs[:4]
    assert (whole.removed, without.removed) == ([], ["A", "B", "D"])
    for run, gold, predicted in (
        (whole, ["B-C", "B-A", "B-C", "O"], ["B-C", "B-A", "O", "B-C"]),
        (without, ["B-C", "O", "B-C", "O"], ["B-C", "B-C", "B-C", "O"]),
    ):
        line = {"id": 0, "lang": "en", "tokens": ["x", "<b>", "y", "z"], "gold": gold, "predicted": predicted}
        write_jsonl(runs / run.name / "test" / "predictions.jsonl", [line])
        write_record(records / run.name, HALF, run=runs / run.name, update_steps=1)
    shutil.copytree(runs / whole.name, runs / unrecorded.name)  # another process has yet to record it
    write_jsonl(runs / other.name / "test" / "predictions.jsonl", [line, line])
    write_record(records / other.name, HALF | {"data_fingerprint": "other"}, run=runs / other.name, update_steps=1)
    record_parts(planned, "")
    of_whole, of_without = (optional_record(records / run.name / "parts.json") for run in (whole, without))
    assert not (records / other.name / "parts.json").exists()
    with pytest.raises(InputError, match="scored on different data"):
        class_map(planned, "")
    shutil.rmtree(records / other.name)
    assert (of_whole["C"]["missed"], of_whole["C"]["no mention"], of_whole["A"]["missed"]) == (1, 1, 0)
    assert (of_without["C"]["A"], of_without["C"]["missed"], of_without["A"]["swapped"]) == (1, 0, 1)
    mentions = changed_mentions(planned, "")["A", "C"]
    assert [(m["before"], m["within"], m["after"]) for m in mentions] == [
        ("x <b> y", "z", ""), ("x", "<b>", "y z"), ("x <b>", "y", "z"), ("", "x", "<b> y z")]  # fmt: skip
    assert mentions[1]["about"] == "gold: A; predicted as C in 1 of 1 runs without A, and in 0 of 1 with it"
    cell = {"removed": "A", "measured": "C", "effect": -2.0, "low": -3.0, "high": -1.0, "p": 0.0001, "verdict": "lower"}
    opened = opened_cell(cell | {"parts": {"missed": 2.0}}, {("A", "C"): mentions})
    map_table = table("map", ["removed", "C"], [["A", "-2.0 ↓"]], [[-1.0]], [[opened]])
    page = html_page([map_table, map_table], "Study")  # as with two encoders
    assert "-2.00 points of F1, 95 % interval -3.00 to -1.00, p &lt; 0.001" in page
    assert "x <mark>&lt;b&gt;</mark> y z" in page and "<h3>C without A: lower</h3>" in page
    ids = re.findall(' id="(cell[^"]*)"', page)
    assert re.findall('popovertarget="([^"]*)"', page) == ids and len(set(ids)) == 2
    (runs / without.name / "test" / "predictions.jsonl").unlink()
    assert changed_mentions(planned, "") == {}


@pytest.mark.parametrize(("has_gpu", "threads", "jobs"), [(True, 1, 1), (False, 1, 3), (False, 2, 1), (False, 4, 1)])
def test_runs_share_a_gpu_one_at_a_time_and_take_the_cores_of_the_process(has_gpu, threads, jobs, monkeypatch):
    monkeypatch.setattr("torch.accelerator.is_available", lambda: has_gpu)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 5, 7}, raising=False)
    assert running.usual_jobs(threads) == jobs


@pytest.mark.parametrize("options", [["--jobs", "0"], ["--jobs", "2", "--engine", "ray"]])
def test_a_wrong_number_of_jobs_is_refused(tmp_path, options, fails):
    file = write(tmp_path / "s.yaml", settings={"a": {}})
    message = fails(study.main, "run", file, "--output_dir", tmp_path / "runs", *options)
    assert f"--jobs: found {options[1]}; expected 1 or more, and with Ray no --jobs" in message


def test_the_records_of_the_map_are_those_of_its_plan_and_the_pages_say_how_many():
    """Their seeds, and the places of the unmasked runs among them, are part of their names."""
    planned = {run.name for run in read_study(ROOT / "studies/interference.yaml").runs}
    for name in ("environment.json", "parts.json"):
        assert {path.parent.name for path in (ROOT / "results/interference").glob(f"*/{name}")} == planned
    for page in ("README.md", "results/README.md", "results/interference/README.md", "docs/study.md"):
        assert f" {len(planned)} runs" in (ROOT / page).read_text(encoding="utf-8"), page
