"""Scoring with the real command and a tiny trained checkpoint."""

import json
import random
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from conftest import WORDS, read, row, write_jsonl, write_splits
from safetensors.torch import load_file, save_file
from seqeval.metrics import f1_score
from trained_runs import CPU, argv, content, predictions, read_json, tagged

import inference
import train
from arguments import DataArguments
from ner.encoder import precision as precision_module
from ner.errors import InputError
from ner.runs.folder import owner_of
from ner.runs.manifest import require_intact
from ner.scoring import calibration
from ner.tagging import onnx_export, prediction, tagger

pytestmark = pytest.mark.slow


def test_data_without_an_entity_are_one_message(run, encoders, tmp_path, fails):
    for key, tag in (("tags", "O"), ("ner_tags", 0)):
        for split in ("train", "val", "test"):
            lines = [{"tokens": [w, split], key: [tag, tag]} for w in WORDS]
            write_jsonl(tmp_path / split / f"{split}_en.jsonl", lines)
        train_it = ("--model_checkpoint", encoders["bert"], "--output_dir", tmp_path / "run", *CPU)
        message = fails(train.main, "--dataset", tmp_path, *train_it)
        assert f"{tmp_path}: found no entity in the " in message and "training sentences" in message
        message = fails(inference.main, "--checkpoint", run, "--dataset", tmp_path, *CPU)
        assert f"{tmp_path}: found no entity in the {len(WORDS)} test sentences" in message
    assert not (tmp_path / "run").exists()


def test_scoring_takes_data_and_labels_from_the_run(run, corpus, capsys, caplog):
    inference.main(["--checkpoint", str(run), *CPU])
    printed = capsys.readouterr()
    assert printed.out.startswith("class ")
    assert "scored as O, because the checkpoint does not know their classes: FOOD, TIME\n" in caplog.text
    metrics, lines = read_json(run / "test" / "metrics.json"), predictions(run / "test")
    gold, predicted = ([line[side] for line in lines] for side in ("gold", "predicted"))
    assert metrics["overall"]["f1"] == f1_score(gold, predicted) > 0.8
    source = [json.loads(line) for line in (corpus / "test" / "test_en.jsonl").open(encoding="utf-8")]
    assert [line["tokens"] for line in lines] == [line["tokens"] for line in source]
    assert [line["id"] for line in lines] == list(range(len(source)))
    assert {tag[2:] for tags in gold for tag in tags if tag != "O"} <= {"PER", "ORG", "LOC", "DIS", "ANIM"}
    assert metrics["split"] == "test" and metrics["sentences"] == 40


@pytest.mark.parametrize("bf16", ["false", "true"])
def test_scoring_the_validation_split_repeats_what_training_wrote(bf16, corpus, encoders, tmp_path, monkeypatch):
    folder, options, logits = tmp_path / "run", ("--use_cpu", "true", "--bf16", bf16), []
    monkeypatch.setattr(tagger, "word_logits", lambda *a: logits.append(prediction.word_logits(*a)) or logits[-1])
    train.main(argv(corpus, encoders["bert"], folder, "--num_train_epochs", 8, *options))
    before = [(folder / "validation" / name).read_bytes() for name in ("metrics.json", "predictions.jsonl")]
    assert read_json(folder / "validation" / "metrics.json")["overall"]["f1"] > 0.5
    inference.main(["--checkpoint", str(folder), "--split", "validation", *options])
    assert [(folder / "validation" / name).read_bytes() for name in ("metrics.json", "predictions.jsonl")] == before
    assert np.array_equal(*logits)


def test_no_run_has_an_invalid_transition_unless_it_is_asked_for(corpus, encoders, tmp_path, capsys):
    few = ("--max_steps", 2, "--learning_rate", "2e-5")  # of which it learns nothing
    run = train.main(argv(corpus, encoders["distilbert"], tmp_path / "run", *few))
    words = " ".join(predictions(run / "validation")[0]["tokens"])
    found, f1, entities = {}, {}, {}
    assert read_json(run / "config.json")["constrained_decoding"] is True
    for constrained in ("true", "false"):
        returned = inference.main(["--checkpoint", str(run), "--constrained_decoding", constrained, *CPU])
        (scored,) = run.glob("test" if constrained == "true" else "scores/*-test-*")  # the run's own, or another
        metrics = read_json(scored / "metrics.json")
        assert returned == metrics and metrics["constrained_decoding"] == (constrained == "true")
        found[constrained] = metrics["invalid_transitions"]
        f1[constrained] = metrics["overall"]["f1"], metrics["unconstrained_f1"]
        entities[constrained] = tagged(
            capsys, "--checkpoint", run, "--text", words, "--constrained_decoding", constrained
        )
    assert found["true"] == 0 < found["false"] and entities["true"] != entities["false"]
    assert f1["false"][0] == f1["false"][1] == f1["true"][1] != f1["true"][0]
    assert read_json(run / "validation" / "metrics.json")["invalid_transitions"] == 0


def foreign(run: Path, folder: Path, kept: list[int], names: list[str]) -> Path:
    """A checkpoint as others publish it: the labels `kept` of a run, under other names, and none of our keys."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("args.yaml", "manifest.json"))
    config, tensors = read_json(folder / "config.json"), load_file(folder / "model.safetensors")
    ours = ("masked_training", "constrained_decoding", "trained_window", "score_calibration")
    own = {key: value for key, value in config.items() if key not in ours}
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    (folder / "config.json").write_text(json.dumps(own | labels))
    tensors |= {name: tensors[name][kept].contiguous() for name in ("classifier.weight", "classifier.bias")}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_labels_in_another_order_give_the_same_tags(masked_run, corpus, tmp_path):
    own, order = shutil.copytree(masked_run, tmp_path / "own"), random.Random(1).sample(range(11), 11)
    names = list(read_json(own / "config.json")["id2label"].values())
    other = foreign(own, tmp_path / "other", order, [names[i] for i in order])
    for run in (own, other):
        inference.main(["--checkpoint", str(run), "--dataset", str(corpus), "--constrained_decoding", "true", *CPU])
    assert predictions(other / "test") == predictions(own / "test")


def test_a_checkpoint_that_begins_entities_with_i_finds_them(masked_run, tmp_path, capsys, fails):
    """As published ones do whose data were in the IOB1 scheme: a model of labels without `B-`."""
    text = "a storm hit Bergen while people left Peru"
    expected = tagged(capsys, "--checkpoint", masked_run, "--text", text)[0]["entities"]
    names = list(read_json(masked_run / "config.json")["id2label"].values())
    kept = [0, *range(1, len(names), 2)]  # O, and each B-, which becomes the I- of its class
    run = foreign(masked_run, tmp_path / "run", kept, [names[i].replace("B-", "I-") for i in kept])
    message = fails(inference.main, "--checkpoint", run, "--text", text, "--constrained_decoding", "true", *CPU)
    assert "found no label B-PER; expected a B- label of each class" in message
    found = tagged(capsys, "--checkpoint", run, "--text", text)[0]["entities"]
    assert [(e["type"], e["text"]) for e in found] == [(e["type"], e["text"]) for e in expected] != []
    assert all(e["score"] > 0.3 for e in found)


def test_training_calibrates_scores_and_the_calibration_goes_where_the_checkpoint_goes(masked_run, tmp_path, capsys,
                                                                                      monkeypatch):  # fmt: skip
    monkeypatch.setattr(calibration, "LEAST", 1)
    run = tmp_path / "run"
    train.main([str(a) for a in (masked_run / "args.yaml", "--output_dir", run, "--num_train_epochs", 5)])
    recorded = read_json(run / "config.json")["score_calibration"]
    validation = read_json(run / "validation" / "metrics.json")["confidence"]
    assert validation["calibration"] == recorded != {"slope": 1, "intercept": 0}
    tags = [tag for line in predictions(run / "validation") for tag in line["predicted"]]
    assert validation["entities"] == sum(tag[0] == "B" for tag in tags)
    onnx_export.export(run)
    inference.main(["--checkpoint", str(run), *CPU])
    assert read_json(run / "test" / "metrics.json")["confidence"]["calibration"] == recorded
    text = "a storm hit Bergen and grey wolf"
    scores = []
    for checkpoint in (run, run / "onnx"):
        scores.append([e["score"] for e in tagged(capsys, "--checkpoint", checkpoint, "--text", text)[0]["entities"]])
    (run / "config.json").write_text(json.dumps(read_json(run / "config.json") | {"score_calibration": None}))
    raw = [e["score"] for e in tagged(capsys, "--checkpoint", run, "--text", text)[0]["entities"]]
    assert scores[0] == pytest.approx(scores[1], abs=2e-4) and scores[0] != raw
    assert scores[0] == pytest.approx(calibration.Calibration(**recorded).scores(np.array(raw)), abs=2e-3)


def test_a_run_is_scored_in_the_windows_that_it_was_trained_in(corpus, encoders, tmp_path, monkeypatch):
    folder, logits = tmp_path / "run", []
    monkeypatch.setattr(tagger, "word_logits", lambda *a: logits.append(prediction.word_logits(*a)) or logits[-1])
    train.main(argv(corpus, encoders["bert"], folder, "--num_train_epochs", 4, "--max_length", 6))
    for more in ((), ("--max_length", "64")):
        inference.main(["--checkpoint", str(folder), "--split", "validation", *more, *CPU])
    assert [np.allclose(logits[0], other, atol=1e-3) for other in logits[1:]] == [True, False]
    own = read_json(folder / "config.json")
    (folder / "config.json").write_text(json.dumps(own | {"score_calibration": {"slope": 3, "intercept": 3}}))
    train.main(argv(corpus, folder, tmp_path / "next", "--max_steps", 1, "--constrained_decoding", "false"))
    new = read_json(tmp_path / "next" / "config.json")
    assert new["trained_window"] == 64 and new["constrained_decoding"] is False
    assert new["score_calibration"] != {"slope": 3, "intercept": 3}
    inference.main(["--checkpoint", str(tmp_path / "next"), *CPU])
    for split in ("validation", "test"):  # in inference, too, as it was trained
        assert read_json(tmp_path / "next" / split / "metrics.json")["constrained_decoding"] is False


def test_a_runs_own_scores_are_of_its_own_data_as_a_whole(masked_run, corpus, tmp_path, caplog):
    run = shutil.copytree(masked_run, tmp_path / "run")
    rows = [json.loads(line) for line in (corpus / "test" / "test_en.jsonl").open(encoding="utf-8")]
    other, moved = tmp_path / "other", shutil.copytree(corpus, tmp_path / "moved")
    for split in ("test", "val"):
        for lang in ("en", "de"):
            write_jsonl(other / split / f"{split}_{lang}.jsonl", [r | {"lang": lang} for r in rows[:-1]])

    def scored(*options: object) -> str:
        """The folder, within the run, whose scores are new."""
        before = content(run)
        inference.main([str(o) for o in ("--checkpoint", run, *options, *CPU)])
        after = content(run)
        assert require_intact(run)
        changed = {name for name in after if before.get(name) != after[name]} - {"manifest.json", "README.md"}
        (folder,) = {str(Path(name).parent) for name in changed}
        return folder

    # Before the test split was scored: only the run's own data, languages and whole split are its record.
    others = [("--dataset", other), ("--dataset", other, "--languages", "de", "en"), ("--max_eval_sentences", 20)]
    for split in ("test", "validation"):
        folders = [scored(*options, "--split", split) for options in others]
        names = [f"scores/other-{split}-", f"scores/other-{split}-", f"scores/{corpus.name}-{split}-"]
        for folder, name in zip(folders, names, strict=True):
            assert folder.startswith(name) and len(folder) == len(name) + 8
            assert read_json(run / folder / "metrics.json")["data_fingerprint"].startswith(folder[-8:])
            assert f"wrote {run / folder}" in caplog.text
        assert len(set(folders)) == 3
    assert not (run / "test").exists() and content(run / "validation") == content(masked_run / "validation")
    assert scored() == "test"
    card, own = (run / "README.md").read_bytes(), content(run / "test")
    own_data = read_json(run / "test" / "metrics.json")["data_fingerprint"]

    # Afterwards, its sentences decide, wherever they are; and the same sentences tagged otherwise are another score.
    assert scored("--dataset", moved) == "test"
    for options in (("--constrained_decoding", "false"), ("--max_length", "6")):
        assert scored(*options).startswith(f"scores/{corpus.name}-test-")
        assert f"{run / 'test'} holds only scores of the run's own data" in caplog.text
    assert f"{corpus.name}-test-{own_data[:8]}, in place of earlier scores" in caplog.text
    assert scored("--constrained_decoding", "true", "--max_eval_sentences", len(rows)) == "test"
    assert (run / "README.md").read_bytes() == card and content(run / "test") == own

    (run / "README.md").write_text("its owner's words")
    again = ["--checkpoint", str(run), "--max_eval_sentences", "20", *CPU]
    inference.main(again)
    assert (run / "README.md").read_text() == "its owner's words"
    assert f"{run / 'README.md'} was edited, so it stays without these scores" in caplog.text
    (run / "README.md").unlink()
    inference.main(again)
    assert (run / "README.md").read_bytes() == card and require_intact(run)


def test_a_checkpoint_within_a_run_is_scored_on_the_data_of_the_run(masked_run, tmp_path):
    run = shutil.copytree(masked_run, tmp_path / "run")
    own = ("README.md", "args.yaml", "manifest.json", "environment.json", "test", "validation")
    shutil.copytree(masked_run, run / "checkpoint-3", ignore=shutil.ignore_patterns(*own))
    for place in ("", "checkpoint-3"):
        inference.main(["--checkpoint", str(run / place), "--split", "validation", *CPU])
    of_run, of_checkpoint = (read_json(run / place / "validation/metrics.json") for place in ("", "checkpoint-3"))
    assert of_checkpoint["data_fingerprint"] == of_run["data_fingerprint"]


def test_a_run_that_was_validated_on_a_part_of_the_split_says_so(corpus, encoders, tmp_path):
    run = tmp_path / "run"
    train.main(argv(corpus, encoders["bert"], run, "--max_steps", 2, "--max_eval_sentences", 17))
    text = (run / "README.md").read_text(encoding="utf-8")
    assert "17 sentences (a part of it: `max_eval_sentences` was 17), " in text
    before = content(run / "validation")
    for more in ((), ("--max_eval_sentences", "17")):
        inference.main(["--checkpoint", str(run), "--split", "validation", *more, *CPU])
        assert content(run / "validation") == before
    (whole,) = run.glob("scores/*-validation-*")
    assert read_json(whole / "metrics.json")["sentences"] == 40
    inference.main(["--checkpoint", str(run), *CPU])
    assert read_json(run / "test" / "metrics.json")["sentences"] == 40
    assert "| validation F1 of these weights, on 17 sentences |" in (run / "README.md").read_text(encoding="utf-8")


def test_a_calibration_is_used_in_the_decoding_that_it_was_fitted_in(masked_run, tmp_path, capsys, caplog):
    run = shutil.copytree(masked_run, tmp_path / "run")
    own = read_json(run / "config.json")

    def scores(trained: bool, calibration: dict | None, *options: str) -> list[float]:
        config = own | {"constrained_decoding": trained, "score_calibration": calibration}
        (run / "config.json").write_text(json.dumps(config))
        (line,) = tagged(capsys, "--checkpoint", run, "--text", "a storm hit Bergen and Ada Moss", *options)
        return [e["score"] for e in line["entities"]]

    low = {"slope": 1.0, "intercept": -9.0}
    for trained, other in ((True, "false"), (False, "true")):
        assert max(scores(trained, low)) < 0.3 < min(scores(trained, None))
        assert "are not calibrated" not in caplog.text
        assert scores(trained, low, "--constrained_decoding", other) == scores(
            trained, None, "--constrained_decoding", other
        )
        assert "the scores of entities are not calibrated" in caplog.text
        caplog.clear()


def test_the_precision_of_scores_is_recorded_and_can_be_overridden(run, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    monkeypatch.setattr(precision_module, "multiplies_bfloat16", lambda device: True)
    for more, precision in (((), "bfloat16"), (("--bf16", "false"), "float32")):
        inference.main(["--checkpoint", str(copy), "--use_cpu", "true", *more])
        assert read_json(copy / "test" / "metrics.json")["precision"] == precision
        assert f"Computed in {precision}." in (copy / "README.md").read_text(encoding="utf-8")
    assert tagger.Tagger.load(copy, precision="float16").precision == "float32"  # trained in float16


def test_a_checkpoint_of_the_hub_replaces_no_scores_of_a_run(tmp_path, monkeypatch):
    (tmp_path / "tagger").mkdir()
    args = dict.fromkeys(("dataset", "model_checkpoint", "masked_training", "output_dir"), "x")
    (tmp_path / "tagger" / "args.yaml").write_text(json.dumps(args))
    monkeypatch.setattr(inference, "checkpoint_of", lambda arguments: "someone/tagger")
    with pytest.raises(InputError, match="holds a run, whose scores those of someone/tagger would replace"):
        inference.main(["--output_dir", str(tmp_path)])


def test_a_run_that_is_called_like_an_export_belongs_to_itself(run):
    assert owner_of(run / "onnx") == run
    assert owner_of(run.parent / "onnx") == run.parent / "onnx"


def test_scores_that_are_interrupted_leave_the_earlier_ones(run, tmp_path, monkeypatch):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "validation" / "predictions.jsonl").write_text("earlier\n")
    before = content(copy)

    interrupt = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr("ner.tagging.score.write_json", interrupt)  # the predictions are written, the scores are not
    with pytest.raises(KeyboardInterrupt):
        inference.main(["--checkpoint", str(copy), "--split", "validation", *CPU])
    assert content(copy) == before


def test_wrong_checkpoints_and_data(run, tmp_path, fails):
    def message(*argv):
        return fails(inference.main, *argv, *CPU)

    assert "found no folder" in message("--checkpoint", tmp_path / "nothing")
    assert "--output_dir: found no run" in message("--output_dir", tmp_path / "nothing")
    assert "offline mode is enabled" in message("--checkpoint", "someone/some-tagger", "--text", "a")
    for tags, name in (({"tags": ["B-MISC"]}, "MISC"), ({"ner_tags": [17]}, "FOOD")):
        write_jsonl(tmp_path / "test" / "test_en.jsonl", [{"tokens": ["a"]} | tags])
        said = message("--checkpoint", run, "--dataset", tmp_path)
        assert f"and in the data {name}; expected a class in common" in said


def test_a_folder_that_happens_to_have_the_name_of_a_hub_checkpoints_data_is_not_its_data(run, tmp_path, monkeypatch):
    """Neither to score it on, nor to look for training sentences in."""
    (tmp_path / "args.yaml").write_text("dataset: mine\nlanguages: [it]\n")
    monkeypatch.setattr(inference, "fetch_optional", lambda *_: tmp_path / "args.yaml")
    with pytest.raises(InputError, match=r"someone/tagger: was trained on 'mine', a local data set of its author"):
        inference.own_args(inference.parse([], ""), "someone/tagger")
    arguments = inference.parse(["--dataset", "sample"], "")
    options, _ = inference.data_options(arguments, inference.own_args(arguments, "someone/tagger"))
    assert (options.dataset, options.languages) == ("sample", ["it"])
    own_tagger = inference.load_tagger(str(run), arguments)
    monkeypatch.setattr(inference, "checkpoint_of", lambda arguments: "someone/tagger")
    monkeypatch.setattr(inference, "load_tagger", lambda *_: own_tagger)
    monkeypatch.setattr(inference, "remark_on_seen_sentences", lambda *_: pytest.fail("compared with that folder"))
    inference.main(["--dataset", "sample", "--languages", "en", "--output_dir", str(tmp_path / "out"), *CPU])


def test_numbers_in_another_file_mean_what_they_mean_in_the_runs_data(tmp_path):
    for split in ("train", "val"):
        write_jsonl(tmp_path / "data" / split / f"{split}_en.jsonl", [{"tokens": ["a"], "ner_tags": [7]}])
    (tmp_path / "data" / "labels.txt").write_text("O\n1\n2\n3\n4\n5\n6\nB-MISC\n")
    file = write_jsonl(tmp_path / "new.jsonl", [{"tokens": ["b"], "ner_tags": [7]}])
    arguments = inference.parse(["--test_file", str(file)], "")
    options, is_own = inference.data_options(arguments, {"dataset": str(tmp_path / "data"), "languages": ["en"]})
    assert not is_own and inference.evaluation_sentences(options, "test").tag_lists() == [["B-MISC"]]


def test_a_split_is_scored_without_the_files_of_the_others(tmp_path):
    write_jsonl(tmp_path / "test.jsonl", [{"tokens": ["a"], "tags": ["B-X"]}])
    for name in ("train.jsonl", "train.conll"):
        (tmp_path / name).write_text("two files of one split\n")
    options = DataArguments(dataset=str(tmp_path), validation_file=str(tmp_path / "gone.jsonl"))
    assert inference.evaluation_sentences(options, "test").tag_lists() == [["B-X"]]


def test_a_sentence_that_training_left_out_is_no_training_sentence(tmp_path, caplog):
    """Training drops what stands in its own test split, too."""
    shared, alone, tested = (row([name, "Oslo"], ["O", "B-LOC"]) for name in ("shared", "alone", "tested"))
    write_splits(tmp_path, train=[shared, alone], val=[row(["v"], ["O"])], test=[shared, tested])
    own = {"dataset": str(tmp_path), "languages": ["en"]}
    inference.remark_on_seen_sentences(own, read(str(tmp_path), ["en"], "test"))
    assert "training sentences of the checkpoint" not in caplog.text
    inference.remark_on_seen_sentences(own, read(str(tmp_path), ["en"], "train"))
    assert "1 of 2 sentences are also training sentences of the checkpoint" in caplog.text
    inference.remark_on_seen_sentences({"dataset": "Babelscape/multinerd"}, read(str(tmp_path), ["en"], "test"))
    assert "cannot be compared with these sentences: Babelscape/multinerd is no file or folder here" in caplog.text


def test_a_run_that_cannot_be_written_is_refused_before_it_is_scored(run, monkeypatch, fails):
    monkeypatch.setattr(inference.os, "access", lambda *_: False)
    monkeypatch.setattr(inference, "load_tagger", lambda *_: pytest.fail("the checkpoint was loaded"))
    assert f"{run} is not a folder that can be written" in fails(inference.main, "--checkpoint", run, *CPU)


def test_training_data_that_cannot_be_read_are_no_obstacle(tmp_path, monkeypatch, caplog):
    refused = Mock(side_effect=PermissionError(13, "Permission denied", "train_en.jsonl"))
    monkeypatch.setattr(inference, "training_data", refused)
    for more in ({}, {"languages": "en"}):
        inference.remark_on_seen_sentences({"dataset": str(tmp_path)} | more, None)
    assert caplog.text.count("cannot be compared with these sentences") == 2


def test_a_folder_called_sample_is_not_the_sample_corpus(tmp_path):
    (tmp_path / "sample").mkdir()
    assert inference.is_same_data_set("sample", "sample")
    assert not inference.is_same_data_set(str(tmp_path / "sample"), "sample")
