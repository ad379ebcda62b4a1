"""Scoring and tagging with the real command and a tiny trained checkpoint."""

import io
import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED, WORDS, row, sentence, write_jsonl
from safetensors.torch import load_file, save_file
from seqeval.metrics import classification_report, f1_score
from transformers import AutoTokenizer

import hub
import inference
import train
from ner.labels import flat_ids, label_names, spans
from ner.model import onnx_export, prediction, speed, tagger
from ner.model.word_splitter import word_offsets

CPU = ("--use_cpu", "true", "--bf16", "false")


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    """A masked run on the tiny corpus, good at it."""
    folder = tmp_path_factory.mktemp("runs") / "masked"
    options = ("--num_train_epochs", "8", "--learning_rate", "1e-2", "--masked_training", "true", *CPU)
    train.main(
        ["--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--output_dir", str(folder), *options]
    )
    return folder


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def predictions(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").open(encoding="utf-8")]


def tagged(capsys, *argv: object) -> list[dict]:
    capsys.readouterr()
    inference.main([str(a) for a in (*argv, *CPU)])
    return [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]


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
    caplog.set_level("INFO", "ner")
    inference.main(["--checkpoint", str(run), *CPU])
    printed = capsys.readouterr()
    assert printed.out.startswith("class ")
    assert "gold entities are scored as O, because the checkpoint does not know their classes" in caplog.text
    metrics, lines = read_json(run / "test" / "metrics.json"), predictions(run / "test")
    gold, predicted = ([line[side] for line in lines] for side in ("gold", "predicted"))
    assert metrics["overall"]["f1"] == f1_score(gold, predicted) > 0.8
    report = classification_report(gold, predicted, output_dict=True)
    for name, values in metrics["per_class"].items():
        assert (values["f1"], values["support"]) == (report[name]["f1-score"], report[name]["support"])
    source = [json.loads(line) for line in (corpus / "test" / "test_en.jsonl").open(encoding="utf-8")]
    assert [line["tokens"] for line in lines] == [line["tokens"] for line in source]
    assert [line["id"] for line in lines] == list(range(len(source)))
    assert {tag[2:] for tags in gold for tag in tags if tag != "O"} <= {"PER", "ORG", "LOC", "DIS", "ANIM"}
    low, high = metrics["intervals"]["overall"]["f1"]
    assert low <= metrics["overall"]["f1"] <= high
    assert metrics["split"] == "test" and metrics["sentences"] == 40 and metrics["invalid_transitions"] >= 0


@pytest.mark.parametrize("bf16", ["false", "true"])
def test_scoring_the_validation_split_repeats_what_training_wrote(bf16, corpus, encoders, tmp_path, monkeypatch):
    probabilities = []

    def predict(*arguments):
        predicted = prediction.predict(*arguments)
        probabilities.append(predicted.probabilities)
        return predicted

    monkeypatch.setattr(tagger, "predict", predict)
    folder, options = tmp_path / "run", ("--use_cpu", "true", "--bf16", bf16)
    train.main(["--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--output_dir", str(folder),
                "--num_train_epochs", "8", "--learning_rate", "1e-2", *options])  # fmt: skip
    before = [(folder / "validation" / name).read_bytes() for name in ("metrics.json", "predictions.jsonl")]
    assert read_json(folder / "validation" / "metrics.json")["overall"]["f1"] > 0.5
    inference.main(["--checkpoint", str(folder), "--split", "validation", *options])
    assert [(folder / "validation" / name).read_bytes() for name in ("metrics.json", "predictions.jsonl")] == before
    assert np.array_equal(*probabilities)


def test_a_run_is_scored_in_the_windows_that_it_was_trained_in(corpus, encoders, tmp_path):
    folder = tmp_path / "run"
    train.main(["--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--output_dir", str(folder),
                "--num_train_epochs", "4", "--learning_rate", "1e-2", "--max_length", "6", *CPU])  # fmt: skip
    own = (folder / "validation" / "predictions.jsonl").read_bytes()
    onnx_export.export(folder)
    same = {}
    for run, more in ((folder, ()), (folder / "onnx", ()), (folder, ("--max_length", "64"))):
        (folder / "validation" / "predictions.jsonl").unlink(missing_ok=True)
        inference.main(["--checkpoint", str(run), "--split", "validation", *more, *CPU])
        same[run.name, more] = (run / "validation" / "predictions.jsonl").read_bytes() == own
    assert list(same.values()) == [True, True, False]
    train.main(["--dataset", str(corpus), "--model_checkpoint", str(folder), "--output_dir", str(tmp_path / "next"),
                "--max_steps", "1", *CPU])  # fmt: skip
    assert read_json(tmp_path / "next" / "config.json")["trained_window"] == 64


@pytest.mark.parametrize("value", [3, "64", True, 64.0])
def test_a_trained_window_that_is_none_is_refused(value, run, tmp_path, fails):
    broken = changed(run, tmp_path / "broken", "config.json", trained_window=value)
    message = fails(inference.main, "--checkpoint", broken, "--text", "a", *CPU)
    assert f"{broken}: config.json: found trained_window {value!r}; expected a number of at least 4" in message


@pytest.mark.parametrize("has", [True, False])
def test_few_lines_and_many_are_tagged_in_the_hardwares_precision(has, run, tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device: has)
    caplog.set_level("INFO", "ner")
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n" * 100)
    for what in (("--text", "a storm hit Bergen"), ("--input_file", str(tmp_path / "in.txt"))):
        caplog.clear()
        inference.main(["--checkpoint", str(run), *what, "--use_cpu", "true"])
        assert f"bfloat16: {'on' if has else 'off'}, the hardware" in caplog.text
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    places = [[(e["type"], e["text"]) for e in line["entities"]] for line in lines]
    assert places == [[("LOC", "Bergen")]] * 101


def test_the_precision_of_scores_is_recorded_and_can_be_overridden(run, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device: True)
    for more, precision in (((), "bfloat16"), (("--bf16", "false"), "float32")):
        inference.main(["--checkpoint", str(copy), "--use_cpu", "true", *more])
        assert read_json(copy / "test" / "metrics.json")["precision"] == precision
        assert f"Computed in {precision}." in (copy / "README.md").read_text(encoding="utf-8")


def test_the_order_of_a_checkpoints_labels_does_not_matter(run, tmp_path):
    shuffled = tmp_path / "shuffled"
    shutil.copytree(run, shuffled)
    config, weights = read_json(run / "config.json"), load_file(run / "model.safetensors")
    order = list(range(11))
    random.Random(4).shuffle(order)
    config["id2label"] = {str(new): config["id2label"][str(old)] for new, old in enumerate(order)}
    config["label2id"] = {label: int(i) for i, label in config["id2label"].items()}
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name][order].contiguous()
    (shuffled / "config.json").write_text(json.dumps(config))
    save_file(weights, shuffled / "model.safetensors", metadata={"format": "pt"})
    inference.main(["--checkpoint", str(run), *CPU])
    inference.main(["--checkpoint", str(shuffled), *CPU])
    assert (shuffled / "test" / "predictions.jsonl").read_bytes() == (run / "test" / "predictions.jsonl").read_bytes()


def test_long_sentences_keep_every_gold_token(run, tmp_path):
    rng, rows = random.Random(8), []
    for _ in range(5):
        parts = [sentence(rng) for _ in range(60)]
        rows.append(row([t for tokens, _ in parts for t in tokens], [t for _, tags in parts for t in tags]))
    rows[0]["tokens"][7:9] = ["\u200b", "a" * 2_000]
    write_jsonl(tmp_path / "data" / "test" / "test_en.jsonl", rows)
    shutil.copytree(run, tmp_path / "run")
    inference.main(["--checkpoint", str(tmp_path / "run"), "--dataset", str(tmp_path / "data"), *CPU])
    lines = predictions(tmp_path / "run" / "test")
    assert [line["tokens"] for line in lines] == [r["tokens"] for r in rows]
    assert all(len(line["gold"]) == len(line["predicted"]) == len(line["tokens"]) for line in lines)
    assert read_json(tmp_path / "run" / "test" / "metrics.json")["overall"]["f1"] > 0.75


def test_string_tags_in_another_form_score_the_same(run, corpus, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    inference.main(["--checkpoint", str(run), *CPU])
    names = [
        f"{p}-{t}"
        for t in "PER ORG LOC ANIM BIO CEL DIS EVE FOOD INST MEDIA MYTH PLANT TIME VEHI".split()
        for p in "BI"
    ]
    text = ""
    for line in (corpus / "test" / "test_en.jsonl").open(encoding="utf-8"):
        tokens = json.loads(line)
        pairs = zip(tokens["tokens"], tokens["ner_tags"], strict=True)
        text += "".join(f"{i}\t{t}\t{['O', *names][n]}\n" for i, (t, n) in enumerate(pairs)) + "\n"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test_en.tsv").write_text(text, encoding="utf-8")
    inference.main(["--checkpoint", str(tmp_path / "run"), "--dataset", str(tmp_path / "data"), *CPU])
    assert predictions(tmp_path / "run" / "test") == predictions(run / "test")


def test_wrong_checkpoints_and_data(run, encoders, corpus, tmp_path, fails):
    def message(*argv):
        return fails(inference.main, *argv, *CPU)

    assert "found no folder" in message("--checkpoint", tmp_path / "nothing")
    assert "--output_dir: found no run" in message("--output_dir", tmp_path / "nothing")
    assert "expected O, B-CLASS, I-CLASS" in message("--checkpoint", encoders["bert"], "--text", "a")
    assert "no network" in message("--checkpoint", "someone/some-tagger", "--text", "a")
    write_jsonl(tmp_path / "test" / "test_en.jsonl", [{"tokens": ["a"], "tags": ["B-MISC"]}])
    assert "expected a class in common" in message("--checkpoint", run, "--dataset", tmp_path)
    assert "neither" in message("--checkpoint", run, "--dataset", corpus, "--languages", "de")
    assert "cannot be read" in message("--checkpoint", run, "--input_file", tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"fine\n\xff\n")
    out = tmp_path / "out.jsonl"
    assert "bad.txt:2: found bytes" in message(
        "--checkpoint", run, "--input_file", tmp_path / "bad.txt", "--output_file", out
    )
    assert not out.exists() and not list(tmp_path.glob("*.partial"))
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    (broken / "model.safetensors").unlink()
    assert "holds no safetensors" in message("--checkpoint", broken, "--text", "a")
    (broken / "model.safetensors").write_bytes(b"short")
    assert "cannot be loaded" in message("--checkpoint", broken, "--text", "a")


def changed(run: Path, folder: Path, name: str, **values: object) -> Path:
    """A copy of a run with other values in one of its JSON files."""
    shutil.copytree(run, folder)
    (folder / name).write_text(json.dumps(read_json(folder / name) | values))
    return folder


def weights_set(run: Path, folder: Path, name: str, value: float) -> Path:
    """A copy of a run, not scored, with a value all through one of its tensors."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("test"))
    weights = load_file(folder / "model.safetensors")
    weights[name].fill_(value)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_weights_that_are_not_finite_are_refused(value, run, corpus, tmp_path, fails):
    name = "bert.encoder.layer.1.output.dense.bias"
    broken = weights_set(run, tmp_path / "broken", name, float(value))
    expected = f"{broken}: its safetensors hold NaN or infinity in 1 tensor(s), such as {name}"
    for argv in (("--text", "a"), ("--split", "validation")):
        assert f"--checkpoint {expected}" in fails(inference.main, "--checkpoint", broken, *argv, *CPU)
    assert expected in fails(hub.main, "onnx", broken)
    train_argv = ("--dataset", corpus, "--model_checkpoint", broken, "--output_dir", tmp_path / "new", *CPU)
    assert f"--model_checkpoint {expected}" in fails(train.main, *train_argv)
    assert not (tmp_path / "new").exists() and not (broken / "onnx").exists()


@pytest.mark.parametrize("exported", [False, True])
def test_scores_that_are_not_finite_are_one_error(exported, run, tmp_path, fails):
    """Finite weights whose products are not."""
    large = weights_set(run, tmp_path / "large", "classifier.weight", 3e38)
    if exported:
        onnx_export.export(large)
        large /= "onnx"
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n")
    out = tmp_path / "out.jsonl"
    for argv in (("--text", "a"), ("--input_file", tmp_path / "in.txt", "--output_file", out), ("--split", "test")):
        message = fails(inference.main, "--checkpoint", large, *argv, *CPU)
        assert f"--checkpoint {large}: gives NaN instead of scores for" in message and "in float32" in message
    assert not out.exists() and not (large / "test").exists()


@pytest.mark.parametrize("value", [2, 1, 0, -5, "512", True, float("nan")])
def test_a_window_that_holds_no_text_is_refused(value, run, corpus, tmp_path, fails):
    broken = changed(run, tmp_path / "broken", "tokenizer_config.json", model_max_length=value)
    expected = f"{broken}: tokenizer_config.json: found model_max_length {value!r}; expected a number of at least 4"
    assert f"--checkpoint {expected}" in fails(inference.main, "--checkpoint", broken, "--text", "a", *CPU)
    train_argv = ("--dataset", corpus, "--model_checkpoint", broken, "--output_dir", tmp_path / "new", *CPU)
    assert f"--model_checkpoint {expected}" in fails(train.main, *train_argv)


def test_a_tokenizer_without_a_limit_has_the_models_window(run, tmp_path, capsys):
    for number, value in enumerate((None, 1e30, float("inf"), 512.0)):
        other = changed(run, tmp_path / str(number), "tokenizer_config.json", model_max_length=value)
        assert tagged(capsys, "--checkpoint", other, "--text", "a storm hit Bergen")[0]["entities"]


def test_tokens_beyond_the_embeddings_are_refused(run, corpus, tmp_path, fails, capsys):
    """The tokenizer of another model; but a token that no text holds does no harm."""
    other = tmp_path / "other"
    shutil.copytree(run, other)
    file = other / "tokenizer.json"
    vocabulary = read_json(file)
    rows = read_json(run / "config.json")["vocab_size"]
    vocabulary["model"]["vocab"]["storm"] = rows + 6
    file.write_text(json.dumps(vocabulary))
    tagged_lines = tagged(capsys, "--checkpoint", other, "--text", "Lake Inari")
    assert tagged_lines[0]["entities"]
    expected = f"{other}: tokenizer.json gave the id {rows + 6}; expected ids below {rows}, the rows of the model's"
    assert f"--checkpoint {expected}" in fails(inference.main, "--checkpoint", other, "--text", "a storm", *CPU)
    train_argv = ("--dataset", corpus, "--model_checkpoint", other, "--output_dir", tmp_path / "new", *CPU)
    assert f"--model_checkpoint {expected}" in fails(train.main, *train_argv)
    onnx_export.export(other)
    message = fails(inference.main, "--checkpoint", other / "onnx", "--text", "a storm", *CPU)
    assert f"tokenizer.json gave the id {rows + 6}" in message


def test_a_padding_id_beyond_the_embeddings_is_refused(run, tmp_path, fails):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_special_tokens({"pad_token": "[NEW]"})
    tokenizer.save_pretrained(other)
    assert f"gave the id {len(tokenizer) - 1}" in fails(inference.main, "--checkpoint", other, "--text", "a", *CPU)


def texts() -> list[str]:
    rng = random.Random(9)
    alphabet = [
        *WORDS,
        "Ada Moss",
        "Lake Inari",
        "rabies",
        "北京",
        "\u200b",
        "\t",
        "\u2028",
        "\x85",
        "😀",
        "e\u0301",
        "'s",
        ".",
        "  ",
    ]
    return ["", "   ", "a" * 3_000, *(" ".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(300)),
            " ".join(rng.choices(alphabet, k=3_000))]  # fmt: skip


def test_tagged_text_has_exact_offsets_and_keeps_lines_and_order(run, tmp_path, capsys):
    lines = texts()
    (tmp_path / "in.txt").write_bytes("\r\n".join(lines).encode())
    tagged_lines = tagged(capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt")
    assert [line["text"] for line in tagged_lines] == lines
    entities = [(line["text"], e) for line in tagged_lines for e in line["entities"]]
    assert len(entities) > 100
    for text, e in entities:
        assert list(e) == ["type", "text", "start", "end", "score"]
        assert text[e["start"] : e["end"]] == e["text"] and 0 < e["score"] <= 1
    assert tagged_lines[0]["entities"] == tagged_lines[1]["entities"] == []


def test_standard_input_a_file_and_an_output_file_give_the_same(run, tmp_path, capsys, monkeypatch):
    content = "\n".join([*texts(), ""]).encode()
    (tmp_path / "in.txt").write_bytes(content)
    from_file = tagged(capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert tagged(capsys, "--checkpoint", run, "--input_file", "-") == from_file
    assert (
        tagged(
            capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt", "--output_file", tmp_path / "out.jsonl"
        )
        == []
    )
    written = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in written] == from_file


def test_input_is_read_as_it_is_tagged(run, monkeypatch):
    """An endless input is answered block by block: no block beyond the next is read before one is written."""
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield "a storm hit Bergen"

    blocks = inference.blocks(endless(), 100)
    next(blocks)
    assert read == 100


def test_text_is_json_in_a_pipe_and_readable_on_a_terminal(run, capsys, monkeypatch):
    (line,) = tagged(capsys, "--checkpoint", run, "--text", "a storm hit Lake Inari.")
    assert [(e["type"], e["text"]) for e in line["entities"]] == [("LOC", "Lake Inari")]
    shown = inference.marked_text("a \x1b[31mstorm hit Lake Inari.", [line["entities"][0] | {"start": 17, "end": 27}])
    assert "\x1b[31m" not in shown and "[Lake Inari]" in shown
    assert shown.splitlines()[1].split()[:3] == ["LOC", "Lake", "Inari"]
    assert "no entity" in inference.marked_text("nothing", [])


def test_tagging_tokens_joined_by_spaces_agrees_with_tagging_tokens(run, capsys, tmp_path):
    inference.main(["--checkpoint", str(run), *CPU])
    lines = predictions(run / "test")
    (tmp_path / "in.txt").write_text("".join(" ".join(line["tokens"]) + "\n" for line in lines))
    tagged_lines = tagged(capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt")
    names = label_names(["PER", "ORG", "LOC", "ANIM", "DIS"])
    for tagged_line, line in zip(tagged_lines, lines, strict=True):
        expected = spans(*flat_ids([line["predicted"]], names), names)
        texts = [" ".join(line["tokens"][a:b]) for a, b in zip(expected.start, expected.end, strict=True)]
        assert [e["text"] for e in tagged_line["entities"]] == texts


@pytest.mark.skipif(not SHARED.is_dir(), reason="the stand-in corpus is not beside the repository")
def test_the_splitter_agrees_with_real_tokens():
    agreed = total = 0
    for line in (SHARED / "standin_en" / "test" / "test_en.jsonl").open(encoding="utf-8"):
        tokens = json.loads(line)["tokens"]
        text = " ".join(tokens)
        ends = {end for _, end in word_offsets(text)}
        place = 0
        for token in tokens:
            place = text.index(token, place) + len(token)
            agreed += place in ends
            total += 1
    assert agreed == total  # every border of a token is a border of a word


def test_the_output_file_is_written_with_care(run, tmp_path, fails):
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n")
    (tmp_path / "in.txt.partial").write_text("mine")
    tag = ("--checkpoint", run, "--input_file", tmp_path / "in.txt", "--output_file")
    assert "is a folder" in fails(inference.main, *tag, tmp_path)
    assert "there is no folder" in fails(inference.main, *tag, tmp_path / "none" / "out")
    inference.main([str(a) for a in (*tag, tmp_path / "in.txt", *CPU)])  # in place: read whole before it is replaced
    assert json.loads((tmp_path / "in.txt").read_text())["text"] == "a storm hit Bergen"
    assert (tmp_path / "in.txt.partial").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.txt", "in.txt.partial"]
