"""Two processes on one machine (gloo) train, score and tag as one does."""

import json
import shutil

import pytest
from conftest import launched
from trained_runs import CPU, argv, differ_by, interrupted, read_json

import inference
import train

pytestmark = pytest.mark.slow

FSDP = "--use_fsdp --fsdp_version 2 --fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP --fsdp_transformer_layer_cls_to_wrap"


@pytest.mark.parametrize(
    ("script", "how"),
    [("train.py", "--multi_gpu"), ("tests/fsdp_on_cpu.py", f"{FSDP} BertLayer --fsdp_state_dict_type FULL_STATE_DICT")],
)
def test_two_processes_agree_with_one(script, how, corpus, still, tmp_path):
    more = ("--train_sampling_strategy", "sequential", "--max_steps", 4, "--optim", "sgd", "--disable_tqdm", "true",
            "--per_device_eval_batch_size", 16, "--weight_decay", 0)  # fmt: skip
    one = argv(corpus, still, tmp_path / "one", *more, "--per_device_train_batch_size", 8)
    two = argv(corpus, still, tmp_path / "two", *more, "--per_device_train_batch_size", 4)
    train.main(one)
    done = launched(script, *two, how=how)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("overall") == 1
    assert read_json(tmp_path / "two" / "environment.json")["processes"] == 2
    assert differ_by(tmp_path / "one", tmp_path / "two") < 1e-6
    one_loss, two_loss = (
        [e["eval_loss"] for e in read_json(tmp_path / name / "trainer_state.json")["log_history"] if "eval_loss" in e]
        for name in ("one", "two")
    )
    assert one_loss and two_loss == pytest.approx(one_loss, rel=1e-5)
    first, second = (tmp_path / name / "validation" / "predictions.jsonl" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_a_checkpoint_in_parts_is_refused_before_the_training(corpus, still, tmp_path):
    done = launched("tests/fsdp_on_cpu.py", *argv(corpus, still, tmp_path / "run"), how=f"{FSDP} BertLayer")
    assert done.returncode != 0 and not list(tmp_path.glob("run/*"))
    message = "error: accelerate launch: with FSDP, the model would be saved in parts that nothing here reads; expected"
    assert f"{message} --fsdp_state_dict_type FULL_STATE_DICT" in done.stderr


def test_two_processes_with_half_batches_repeat_a_run_of_one(corpus, still, tmp_path, in_two_processes):
    """Every batch of two epochs, the last ones too, which do not divide evenly, with steps of accumulation."""
    more = ("--num_train_epochs", 2, "--max_train_sentences", 117, "--optim", "sgd", "--learning_rate", "1",
            "--gradient_accumulation_steps", 3, "--load_best_model_at_end", "false")  # fmt: skip
    one, two = tmp_path / "one", tmp_path / "two"
    train.main(argv(corpus, still, one, *more, "--per_device_train_batch_size", 4))
    done = in_two_processes("train.py", *argv(corpus, still, two, *more, "--per_device_train_batch_size", 2))
    assert done.returncode == 0, done.stderr[-3000:]
    assert [read_json(run / "environment.json")["update_steps"] for run in (one, two)] == [2 * -(-117 // 12)] * 2
    assert differ_by(one, two) < 1e-5


def test_two_processes_score_as_one(run, tmp_path, in_two_processes):
    other = shutil.copytree(run, tmp_path / "run")
    inference.main(["--checkpoint", str(run), *CPU])
    done = in_two_processes("inference.py", "--checkpoint", other, *CPU)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("overall") == 1
    first, second = run / "test", other / "test"
    assert (first / "predictions.jsonl").read_bytes() == (second / "predictions.jsonl").read_bytes()
    metrics = [read_json(folder / "metrics.json") for folder in (first, second)]
    confidence = [each.pop("confidence") for each in metrics]
    assert metrics[0] == metrics[1]
    # Other batches have other sums of floating-point numbers, which the probabilities show.
    assert [each["score"] for each in confidence[0]["bins"]] == pytest.approx(
        [each["score"] for each in confidence[1]["bins"]], abs=1e-4
    )
    assert confidence[0]["entities"] == confidence[1]["entities"]


def test_two_processes_tag_as_one_and_write_one_ordered_result(run, tmp_path, in_two_processes):
    lines = [f"a storm hit Bergen {'and Ada Moss left ' * (i % 7)}{i}." if i % 5 else "" for i in range(5_000)]
    source = tmp_path / "lines.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    inference.main(["--checkpoint", str(run), "--input_file", str(source), "--output_file", str(one), *CPU])
    done = in_two_processes("inference.py", "--checkpoint", run, "--input_file", source, "--output_file", two, *CPU)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ([json.loads(line) for line in p.read_text(encoding="utf-8").splitlines()] for p in (one, two))
    assert [tagged["text"] for tagged in second] == lines
    places = [
        [[(e["type"], e["start"], e["end"]) for e in t["entities"]] for t in tagged] for tagged in (first, second)
    ]
    assert places[0] == places[1] and any(places[0])


def test_a_persons_mistake_ends_both(run, tmp_path):
    source = tmp_path / "latin1.txt"
    source.write_bytes(b"fine\n" * 5_000 + "K\xf6ln\n".encode("latin-1"))
    done = launched(
        "inference.py", "--checkpoint", run, "--input_file", source, "--output_file", tmp_path / "tagged.jsonl", *CPU
    )
    assert done.returncode != 0
    assert f"error: {source}:5001: found bytes that are not UTF-8" in done.stderr
    assert not (tmp_path / "tagged.jsonl").exists()


def test_two_processes_that_are_resumed_within_an_epoch_end_with_the_same_weights(
    corpus, still, tmp_path, in_two_processes
):
    more = ("--num_train_epochs", 3, "--per_device_train_batch_size", 8, "--eval_strategy", "no",
            "--load_best_model_at_end", "false", "--save_strategy", "steps", "--save_steps", 11)  # fmt: skip
    done = in_two_processes("train.py", *argv(corpus, still, tmp_path / "whole", *more))
    assert done.returncode == 0, done.stderr[-3000:]
    epoch = read_json(tmp_path / "whole" / "checkpoint-11" / "trainer_state.json")["epoch"]
    assert epoch > 1 and epoch % 1
    resumed = interrupted(tmp_path / "whole", tmp_path / "resumed", 11)
    resume = ("--resume_from_checkpoint", "true")
    done = in_two_processes("train.py", *argv(corpus, still, resumed, *more, *resume))
    assert done.returncode == 0, done.stderr[-3000:]
    assert differ_by(tmp_path / "whole", resumed) < 1e-6
