"""Pushing and loading with the real client against a server on loopback."""

import json
import random
import shutil
import textwrap
from pathlib import Path

import pytest
import yaml
from conftest import read, row, sentence, write_jsonl
from huggingface_hub import ModelCard
from seqeval.metrics import f1_score
from trained_runs import CPU, argv, content, predictions, read_json

import hub
import inference
import train
from arguments import parse
from ner.errors import InputError
from ner.runs import model_card as model_cards
from ner.runs import upload
from ner.runs.model_card import model_card

pytestmark = [pytest.mark.usefixtures("loopback_hub"), pytest.mark.slow]


@pytest.fixture(scope="module")
def run(upsampled_run, tmp_path_factory) -> Path:
    """Experiment B, up-sampled, scored on test."""
    folder = shutil.copytree(upsampled_run, tmp_path_factory.mktemp("runs") / "tiny-tagger")
    inference.main(["--checkpoint", str(folder), *CPU])
    return folder


def test_push_and_load_back_by_id(run, corpus, tmp_path, loopback_hub, capsys):
    hub.main(["push", str(run), "--repo_id", "someone/tiny-tagger", "--private"])
    assert capsys.readouterr().out == f"{loopback_hub.url}/someone/tiny-tagger\n"
    assert loopback_hub.private["someone/tiny-tagger"] is True
    options = ("--output_dir", tmp_path, "--checkpoint", "someone/tiny-tagger", "--dataset", corpus, *CPU)
    inference.main([str(o) for o in options])
    assert predictions(tmp_path / "tiny-tagger" / "test") == predictions(run / "test")


def test_nothing_private_goes_to_a_public_repository(run, loopback_hub, fails):
    loopback_hub.repos["models", "someone/public"], loopback_hub.private["someone/public"] = {}, False
    message = fails(hub.main, "push", run, "--repo_id", "someone/public", "--private")
    assert "someone/public: not pushed: the repository exists and is public; expected a private one; make it" in message
    assert not loopback_hub.repos["models", "someone/public"]


def test_a_run_that_is_not_whole_is_neither_pushed_nor_exported(run, corpus, tmp_path, loopback_hub, fails, capsys):
    copy, repo_id = shutil.copytree(run, tmp_path / "copy"), "someone/verified"
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[:-7])
    for words in (("push", copy, "--repo_id", repo_id), ("onnx", copy), ("verify", copy)):
        message = fails(hub.main, *words)
        assert f"{copy}: does not match manifest.json: model.safetensors has changed; " in message
    assert ("models", repo_id) not in loopback_hub.repos and not (copy / "onnx").exists()
    (copy / "model.safetensors").write_bytes(weights)
    hub.main(["push", str(copy), "--repo_id", repo_id])

    clone = tmp_path / "clone"
    for name, data in loopback_hub.repos["models", repo_id].items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes(data)
    inference.main(["--checkpoint", str(clone), "--dataset", str(corpus), *CPU])
    assert predictions(clone / "test") == predictions(run / "test")
    capsys.readouterr()
    hub.main(["verify", str(clone)])
    files = len(loopback_hub.repos["models", repo_id])  # the manifest does not count, test/predictions.jsonl is new
    assert capsys.readouterr().out == f"{files} files match manifest.json\n"


def test_the_card_tells_what_the_run_recorded(run, corpus):
    card = ModelCard(model_card(run))
    metrics, environment = read_json(run / "test" / "metrics.json"), read_json(run / "environment.json")
    assert card.data.model_name == "tiny-tagger"
    results = {(r.dataset_split, r.metric_type): r.metric_value for r in card.data.eval_results}
    assert results["test", "f1"] == round(metrics["overall"]["f1"], 4)
    assert ("validation", "recall") in results
    assert card.data.pipeline_tag == "token-classification" and card.data.language == ["en"]
    low, high = (100 * v for v in metrics["intervals"]["per_class"]["PER"]["f1"])
    assert f"| {low:.1f} to {high:.1f} |" in card.text
    for fact in (
        f"| update steps | {environment['update_steps']} |", f"`{environment['data_fingerprint']}`",
        f"DIS or ANIM appear 2 times: {environment['rows']['repeated']} more rows", "| learning_rate | 0.01 |",
        "**masked**", "Classes: PER, ORG, LOC, ANIM, DIS.", "fewer classes score higher", "\n## Licence\n",
        "fewer than 100 entities each",
    ):  # fmt: skip
        assert fact in card.text, fact
    for split in ("test", "validation"):
        confidence = read_json(run / split / "metrics.json")["confidence"]
        section = card.text.split("## Confidence")[1].split("\n## ")[0]
        row = next(line for line in section.splitlines() if line.startswith(f"| {split} |"))
        assert f"| {100 * confidence['after']['ece']:.1f} |" in row
        calibrated = confidence["calibration"] != {"slope": 1.0, "intercept": 0.0}
        assert ("| not calibrated |" in row) != calibrated
        shown = [(t["precision"], t["coverage"]) for t in confidence["thresholds"] if t["precision"] is not None]
        assert shown and all(f"| {100 * p:.1f} ({100 * c:.1f}) |" in row for p, c in shown)
    assert str(corpus) not in card.content and corpus.name in card.text
    assert (run / "README.md").read_text(encoding="utf-8") == card.content


def test_the_card_says_how_transformers_uses_the_run_and_what_that_costs(run):
    """The snippet as it is printed; a run that decodes word by word loses nothing."""
    text, metrics = ModelCard(model_card(run)).text, read_json(run / "test" / "metrics.json")
    snippet = next(part for part in text.split("\n\n") if part.startswith("    from transformers import pipeline"))
    found: dict = {}
    exec(textwrap.dedent(snippet).replace("THIS_REPOSITORY", str(run)), found)
    assert found["tagger"].model.config.num_labels == 11
    f1, other = (f"{100 * score:.1f}" for score in (metrics["overall"]["f1"], metrics["unconstrained_f1"]))
    assert f"gives an F1 of {other} instead of {f1}." in " ".join(text.split())


def test_nothing_from_a_record_is_markup_in_the_card(run, tmp_path):
    odd, escaped = "<b>|[c](d)", r"&lt;b&gt;\|\[c\](d)"
    copy = shutil.copytree(run, tmp_path / odd.replace("/", ""))

    def marked(value):
        if isinstance(value, dict):
            classes = {odd: value["PER"], f"{odd}2": None} if "PER" in value else {}
            return {key: marked(v) for key, v in value.items()} | classes
        return [*map(marked, value)] if isinstance(value, list) else odd if isinstance(value, str) else value

    for name in ("config.json", "environment.json", "test/metrics.json", "args.yaml"):
        record = marked(yaml.safe_load((copy / name).read_text()))
        if name == "test/metrics.json":
            record["per_language"] = {odd: record | {"support": 7}}
        (copy / name).write_text(json.dumps(record | ({"masked_training": False} if name == "config.json" else {})))
    text = ModelCard(model_card(copy)).text
    assert text.count(escaped) == text.count("(d)") > 20 and "<b>" not in text
    assert f"| {escaped}2 |{' – |' * 5} 0 |" in text  # a class without gold entities
    assert f"| {escaped} | " in text.split("| language |")[1]
    assert "trained on all classes" in text and "fewer classes score higher" not in text


def test_a_run_in_two_languages_has_the_scores_of_each(corpus, encoders, tmp_path, capsys):
    """seqeval is the oracle, for the predictions of each language."""
    for path in corpus.glob("*/*_en.jsonl"):
        folder = tmp_path / "data" / path.parent.name
        folder.mkdir(parents=True)
        rows = [json.loads(line) for line in path.open(encoding="utf-8")]
        write_jsonl(folder / path.name, rows[::2])
        write_jsonl(folder / path.name.replace("en", "de"), [line | {"lang": "de"} for line in rows[1::2]])
    run = tmp_path / "run"
    train.main(argv(tmp_path / "data", encoders["bert"], run, "--languages", "de", "en"))
    capsys.readouterr()
    metrics = inference.main(["--checkpoint", str(run), *CPU])
    table = capsys.readouterr().out.split("\nlanguage ")[1].splitlines()
    card = (run / "README.md").read_text(encoding="utf-8").split("| language |")[1].splitlines()
    assert read_json(run / "test" / "metrics.json") == metrics
    for i, language in enumerate(("de", "en")):
        lines = [line for line in predictions(run / "test") if line["lang"] == language]
        f1 = f1_score([line["gold"] for line in lines], [line["predicted"] for line in lines])
        values = metrics["per_language"][language]
        assert values["overall"]["f1"] == f1 > 0 and values["sentences"] == len(lines) == 20
        assert table[1 + i].split()[:1] + table[1 + i].split()[3:4] == [language, f"{100 * f1:.1f}"]
        assert card[2 + i].split(" | ")[0] == f"| {language}" and card[2 + i].split(" | ")[3] == f"{100 * f1:.1f}"


@pytest.mark.parametrize("broken", ["/lfs/", "/commit/", "/api/repos/create", "/api/validate-yaml"])
def test_a_network_that_fails_in_the_middle_loses_nothing(broken, run, loopback_hub, fails):
    before, repo_id = content(run), f"someone/again-{broken.strip('/').replace('/', '-')}"
    loopback_hub.broken, loopback_hub.lfs = broken, {}
    message = fails(hub.main, "push", run, "--repo_id", repo_id, "--private")
    again = f"the run in {run} is whole; try again: python hub.py push {run} --repo_id {repo_id} --private"
    assert again in message
    assert "README.md" not in loopback_hub.repos.get(("models", repo_id), {})
    loopback_hub.broken = None
    hub.main(["push", str(run), "--repo_id", repo_id])
    assert loopback_hub.repos["models", repo_id]["model.safetensors"] == before["model.safetensors"]
    assert content(run) == before


def test_a_run_is_pushed_under_the_name_of_its_folder_unless_an_option_names_another():
    asked = ["--push_to_hub", "true", "--hub_token", "hf_x", "--output_dir", "runs/mine"]
    for more, name in (([], "mine"), (["--hub_model_id", "someone/else"], "someone/else")):
        arguments = parse([*asked, *more], None)
        assert train.push_target(arguments) == name and not arguments.training.push_to_hub  # Trainer pushes nothing


def test_training_that_cannot_push_keeps_its_run(corpus, encoders, tmp_path, loopback_hub, capsys):
    loopback_hub.broken = "/api/repos/create"
    more = ("--max_steps", "2", "--push_to_hub", "true", "--hub_model_id", "someone/late")
    with pytest.raises(InputError, match=r"is whole; try again: python hub\.py push"):
        train.main(argv(corpus, encoders["bert"], tmp_path / "run", *more))
    printed = capsys.readouterr()
    assert printed.out.startswith("class ") and "overall" in printed.out and "loss" in printed.err
    loopback_hub.broken = None
    hub.main(["push", str(tmp_path / "run"), "--repo_id", "someone/late"])
    assert "model.safetensors" in loopback_hub.repos["models", "someone/late"]


def test_nobody_logged_in_is_said_before_training(corpus, encoders, tmp_path, fails, monkeypatch):
    monkeypatch.setattr(upload, "get_token", lambda: None)
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", "--push_to_hub", "true"))
    assert "no login to the Hub" in message and not (tmp_path / "run").exists()


def test_weights_that_are_no_safetensors_are_refused(run, loopback_hub, fails):
    loopback_hub.repos["models", "someone/pickle"] = {
        "pytorch_model.bin": b"pickle",
        **{n: (run / n).read_bytes() for n in ("config.json", "tokenizer.json", "tokenizer_config.json")},
    }
    assert "holds no safetensors" in fails(inference.main, "--checkpoint", "someone/pickle", "--text", "a", *CPU)


def test_missing_repositories_and_files(loopback_hub, run, fails):
    loopback_hub.repos["models", "someone/empty"] = {}
    assert "Repository Not Found for url" in fails(inference.main, "--checkpoint", "someone/nothing", "--text", "a")
    assert "has no file config.json" in fails(inference.main, "--checkpoint", "someone/empty", "--text", "a")
    assert "exist on the Hub" in fails(inference.main, "--checkpoint", run, "--dataset", "someone/no-data")
    assert "expected OWNER/NAME" in fails(hub.main, "push", run, "--repo_id", "a b")
    assert "args.yaml or scores; expected a finished run" in fails(hub.main, "card", run / "validation")


def test_the_data_set_is_fetched_file_by_file(loopback_hub, monkeypatch):
    rng = random.Random(0)
    rows = [row(*sentence(rng)) for _ in range(5)]
    text = "".join(json.dumps(r) + "\n" for r in rows).encode()
    files = {f"{s}/{s}_{lang}.jsonl": text for s in ("train", "val", "test") for lang in ("en", "de")}
    monkeypatch.setitem(loopback_hub.repos, ("datasets", "Babelscape/multinerd"), files)
    before = len(loopback_hub.requests)
    sentences = read("Babelscape/multinerd", ["de", "en"], "validation")
    assert sentences.token_lists() == [r["tokens"] for r in rows] * 2
    asked = {request.split("main/")[1] for request in loopback_hub.requests[before:] if "resolve" in request}
    assert asked == {"val/val_de.jsonl", "val/val_en.jsonl"}


def test_the_cards_metadata_are_what_the_hub_takes_and_name_the_config():
    """The Hub refuses `zh-CN` and `SR-Latn`, and with them the whole push."""
    args = {"model_checkpoint": "bert-base-cased", "dataset": "someone/corpus", "dataset_config": "zh",
            "languages": ["zh-CN", "pt_BR", "pt", "SR-Latn"]}  # fmt: skip
    overall = dict.fromkeys(model_cards.SCORES, 0.5)
    scored = {"test": {"dataset": "someone/corpus", "overall": overall},
              "validation": {"dataset": "/own/dev.conll", "overall": overall}}  # fmt: skip
    header = yaml.safe_load(model_cards.metadata("run", args, scored))
    assert header["language"] == ["zh", "pt", "sr"]
    test, validation = (result["dataset"] for result in header["model-index"][0]["results"])
    assert test["config"] == "zh" and validation["name"] == "dev.conll" and "config" not in validation


def test_the_card_names_a_split_that_was_held_out_of_training_and_the_cap(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    division = {"seed": 7, "by": "sentences", "train": 8, "validation": 1, "test": 1}
    environment = read_json(copy / "environment.json") | {"division": division}
    (copy / "environment.json").write_text(json.dumps(environment))
    args = yaml.safe_load((copy / "args.yaml").read_text()) | {"max_train_sentences": 9}
    (copy / "args.yaml").write_text(yaml.safe_dump(args))
    said = (", held out of the training data by `split_seed` 7:", "| max_train_sentences | 9 |")
    assert all(text in model_card(copy) and text not in model_card(run) for text in said)
