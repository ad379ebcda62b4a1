"""What `TaggingTrainer` takes from transformers' private parts: this fails where a new version changes one of them."""

import ast
import inspect
import shutil
import textwrap
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from architectures import SIZES
from datasets import Dataset
from safetensors.torch import save_file
from trained_runs import argv, differ_by, read_json, weights
from transformers import BertConfig, BertForTokenClassification, Trainer, TrainingArguments

import train
from ner.encoder.precision import set_precision
from ner.errors import InputError
from ner.training import trainer
from ner.training.trainer import TaggingTrainer

# The private methods of Trainer that are overridden, with the parameters that they use and the method that calls each.
OVERRIDDEN = {
    "_get_train_sampler": (["train_dataset"], "get_train_dataloader"),
    "_get_eval_sampler": (["eval_dataset"], "get_eval_dataloader"),
    "_save": (["output_dir", "state_dict"], "save_model"),
    "_save_checkpoint": (["model", "trial"], "_maybe_log_save_evaluate"),
    "_run_epoch": (None, "_inner_training_loop"),
}


def names_in(function: object) -> set[str]:
    """The attributes that a function's source names."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_the_list_is_complete():
    private = {name for name in vars(TaggingTrainer) if name.startswith("_") and not name.startswith("__")}
    assert private == set(OVERRIDDEN)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_private_method_has_its_parameters_and_is_called(name):
    parameters, caller = OVERRIDDEN[name]
    assert parameters in (None, list(inspect.signature(getattr(Trainer, name)).parameters)[1:])
    assert name in names_in(getattr(Trainer, caller))


@pytest.mark.parametrize(("precision", "accelerates"), [("float32", "no"), ("bfloat16", "bf16")])
def test_trainer_reads_the_precision_that_is_set_after_its_options_are_made(precision, accelerates, tmp_path):
    options = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, bf16=precision == "float32")
    set_precision(options, precision)
    model = BertForTokenClassification(BertConfig(vocab_size=5, **SIZES))
    accelerator = Trainer(model=model, args=options, train_dataset=Dataset.from_dict({"input_ids": [[1]]})).accelerator
    assert accelerator.mixed_precision == accelerates
    with accelerator.autocast(), torch.no_grad():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, precision)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lr_scheduler_kwargs", '{"speed": 1}'), "unexpected keyword argument 'speed'"),
        (("--use_liger_kernel", "true"), "liger-kernel"),
        (("--torch_compile_backend", "none_such"), "NONE_SUCH"),
        (("--activation_checkpointing", "true", "--activation_checkpointing_kwargs", '{"speed": 1}'), "speed"),
    ],
)
def test_an_option_that_a_library_refuses_is_one_message(options, message, corpus, encoders, tmp_path, fails):
    found = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", *options))
    assert "training arguments: " in found and message in found
    assert not list(tmp_path.glob("run/checkpoint-*"))


def test_a_tracker_that_is_not_installed_is_one_message():
    trainer.require_trackers(TrainingArguments(report_to="none").report_to)
    with pytest.raises(InputError, match="--report_to: found none_such, which is not installed"):
        trainer.require_trackers(TrainingArguments(report_to="none_such").report_to)


def test_a_tracker_that_is_not_set_up_is_one_message():
    error = type("MlflowException", (Exception,), {"__module__": "mlflow.exceptions"})("no store at nowhere://")
    training = Mock(has_begun=False, args=Mock(report_to=["mlflow"]))
    with pytest.raises(InputError, match=r"--report_to: mlflow cannot begin: .*nowhere"), trainer.refusals(training):
        raise error


@pytest.mark.slow
def test_evaluation_by_length_has_the_scores_in_order_and_the_mean_loss_over_words(corpus, encoders, tmp_path):
    built: list[TaggingTrainer] = []

    def kept(*parts, **named):
        built.append(trainer.build_trainer(*parts, **named))
        return built[0]

    run = train.main(argv(corpus, encoders["bert"], tmp_path / "run", "--per_device_eval_batch_size", "3"), kept)
    rows = built[0].eval_dataset
    lengths = [len(row["input_ids"]) for row in rows]
    assert lengths == sorted(lengths, reverse=True) and len(set(lengths)) > 3
    best = max(read_json(run / "trainer_state.json")["log_history"], key=lambda entry: entry.get("eval_f1", 0))
    metrics = read_json(run / "validation" / "metrics.json")
    assert best["eval_f1"] == metrics["overall"]["f1"] > 0.1
    of_classes = {name: f1 for name, f1 in best.items() if name.startswith("eval_f1_")}  # for trackers
    assert of_classes == {f"eval_f1_{c}": own["f1"] for c, own in metrics["per_class"].items() if own} != {}
    model, losses = BertForTokenClassification.from_pretrained(run).eval(), []
    for row in rows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([row["input_ids"]])).logits[0]
        labels = torch.tensor(row["labels"])
        losses += torch.nn.functional.cross_entropy(logits, labels, reduction="none")[labels != -100].tolist()
    assert best["eval_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("best", "save", "epochs"), [("true", "epoch", [1, 2]), ("false", "best", [1, 2]), ("false", "epoch", [1])]
)
def test_the_last_evaluation_is_made_only_where_it_chooses(best, save, epochs, corpus, encoders, tmp_path):
    options = ("--num_train_epochs", "2", "--load_best_model_at_end", best, "--save_strategy", save)
    run = train.main(argv(corpus, encoders["bert"], tmp_path / "run", *options))
    assert [e["epoch"] for e in read_json(run / "trainer_state.json")["log_history"] if "eval_f1" in e] == epochs
    assert (run / "validation" / "metrics.json").is_file()


@pytest.mark.slow
def test_exhausted_memory_is_not_taken_for_a_refused_option(corpus, encoders, tmp_path, monkeypatch, fails):
    full = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")
    monkeypatch.setattr(trainer, "mean_loss", Mock(side_effect=full))
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run"))
    assert message.startswith("error: the memory is exhausted: DefaultCPUAllocator: can't allocate memory")


@pytest.mark.slow
def test_an_error_after_the_first_batch_keeps_its_traceback(corpus, encoders, tmp_path, monkeypatch, capsys):
    calls = []

    def loss(outputs, labels, num_items_in_batch=None, *, label_smoothing):
        calls.append(labels)
        print("a tracker's line")
        if len(calls) > 1:
            raise RuntimeError("no loss")
        return outputs["logits"].sum()

    monkeypatch.setattr(trainer, "mean_loss", loss)
    with pytest.raises(RuntimeError, match="no loss"):
        train.main(argv(corpus, encoders["bert"], tmp_path / "run"))
    assert capsys.readouterr().out == ""  # which is for results


@pytest.mark.slow
def test_the_best_checkpoint_of_an_encoder_with_old_names_is_loaded_whole(corpus, encoders, tmp_path):
    """bert-base-cased has `LayerNorm.gamma` and `LayerNorm.beta`, which transformers would save again."""
    encoder, old = shutil.copytree(encoders["bert"], tmp_path / "encoder"), {}
    for name, values in weights(encoder).items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old[name.replace("LayerNorm.bias", "LayerNorm.beta")] = values
    assert any(name.endswith("gamma") for name in old)
    save_file(old, encoder / "model.safetensors", metadata={"format": "pt"})
    worst = ("--num_train_epochs", "2", "--metric_for_best_model", "loss", "--greater_is_better", "true")
    run = train.main(argv(corpus, encoder, tmp_path / "run", *worst))
    best = Path(read_json(run / "trainer_state.json")["best_model_checkpoint"])
    assert best.name == "checkpoint-8" and differ_by(run, best) == 0
