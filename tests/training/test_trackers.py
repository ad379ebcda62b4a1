"""Trainings that report to a tracker of experiments; each is skipped where the tracker is not installed."""

import json
from pathlib import Path

import pytest
import yaml
from conftest import NAMES, write_jsonl
from trained_runs import argv, read_json

import train

pytestmark = pytest.mark.slow
# Not every tracker takes these names as they are. BIO-tagged `FOOD` is only in the training split.
RENAMED = {"PER": "Person (fictional)", "ORG": "org/club", "LOC": "Ærø", "ANIM": "art-film"}
LOGGED = {"Person (fictional)": "Person__fictional_", "org/club": "org_club", "Ærø": "Ærø", "art-film": "art-film"}


@pytest.fixture(scope="module")
def renamed(corpus, tmp_path_factory) -> Path:
    """The tiny corpus with odd names of classes, and without a validation sentence that contains FOOD."""
    folder = tmp_path_factory.mktemp("renamed")
    for path in corpus.glob("*/*.jsonl"):
        rows = []
        for line in map(json.loads, path.open(encoding="utf-8")):
            tags = [NAMES[i] for i in line["ner_tags"]]
            tags = [tag[:2] + RENAMED.get(tag[2:], tag[2:]) for tag in tags]
            if path.parent.name == "train" or "B-FOOD" not in tags:
                rows.append({"tokens": line["tokens"], "tags": tags})
        write_jsonl(folder / path.parent.name / path.name, rows)
    return folder


def tensorboard_values(run: Path) -> dict[str, list[float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = (run / "runs").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    return {name: [event.value for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def mlflow_values(store: str) -> dict[str, list[float]]:
    from mlflow import MlflowClient

    client = MlflowClient(store)
    (record,) = client.search_runs(["0"])
    history = {name: client.get_metric_history(record.info.run_id, name) for name in record.data.metrics}
    return {name: [metric.value for metric in sorted(values, key=lambda m: m.step)] for name, values in history.items()}


@pytest.mark.parametrize("tracker", ["tensorboard", "mlflow"])
def test_a_tracker_gets_the_f1_of_each_class(tracker, renamed, encoders, tmp_path, monkeypatch, capsys):
    pytest.importorskip(tracker)
    run, store = tmp_path / "run", f"sqlite:///{tmp_path / 'mlflow'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    train.main(argv(renamed, encoders["bert"], run, "--report_to", tracker))
    found = tensorboard_values(run) if tracker == "tensorboard" else mlflow_values(store)
    logged = [entry for entry in read_json(run / "trainer_state.json")["log_history"] if "eval_f1" in entry]
    assert len(logged) == 6
    prefix = "eval/f1_" if tracker == "tensorboard" else "eval_f1_"
    names = LOGGED | {"DIS": "DIS", "TIME": "TIME"} | ({"Ærø": "_r_"} if tracker == "mlflow" else {})
    assert {name for name in found if name.startswith(prefix)} == {prefix + name for name in names.values()}

    metrics = read_json(run / "validation" / "metrics.json")
    assert metrics["per_class"]["FOOD"] is None
    best = max(range(6), key=lambda i: logged[i]["eval_f1"])  # of equal ones the first, as Trainer keeps it
    for class_, name in names.items():
        values_logged = [entry[f"eval_f1_{LOGGED.get(class_, class_)}"] for entry in logged]
        assert found[prefix + name] == pytest.approx(values_logged)
        assert values_logged[best] == pytest.approx(metrics["per_class"][class_]["f1"])
    assert "report_to" not in yaml.safe_load((run / "args.yaml").read_text())
    printed = capsys.readouterr()
    assert printed.out.startswith("class ") and "f1_" not in printed.err.replace("macro_f1", "")


def test_a_tracker_that_is_not_set_up_is_one_message(corpus, encoders, tmp_path, monkeypatch, fails):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://")
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", "--report_to", "mlflow"))
    assert message.startswith("error: --report_to: mlflow cannot begin: ") and "nowhere" in message
