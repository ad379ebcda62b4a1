"""What `TaggingTrainer` takes from transformers' private parts: this fails where a new version changes one of them."""

import ast
import inspect
import textwrap

import pytest
import torch
from datasets import Dataset
from transformers import BertConfig, BertForTokenClassification, Trainer, TrainingArguments

import train
from arguments import parse
from data import training_data
from ner.encoder.precision import set_precision
from ner.training.trainer import TaggingTrainer

# The private methods of Trainer that are overridden, with their parameters and the method that calls each.
OVERRIDDEN = {
    "_get_train_sampler": (["train_dataset"], "get_train_dataloader"),
    "_get_eval_sampler": (["eval_dataset"], "get_eval_dataloader"),
    "_save_checkpoint": (["model", "trial"], "_maybe_log_save_evaluate"),
    "_init_training_state": (
        ["max_steps", "num_update_steps_per_epoch", "num_train_epochs", "resume_from_checkpoint", "trial"],
        "_inner_training_loop",
    ),
    "_run_epoch": (
        ["model", "epoch", "train_dataloader", "steps_in_epoch", "num_update_steps_per_epoch", "trial",
         "ignore_keys_for_eval", "start_time", "resume_from_checkpoint", "epochs_trained",
         "steps_trained_in_current_epoch"],
        "_inner_training_loop",
    ),
}  # fmt: skip


def private_methods(of: type) -> set[str]:
    return {
        name for name in vars(of) if name.startswith("_") and not name.startswith("__") and callable(vars(of)[name])
    }


def names_in(function: object) -> set[str]:
    """The attributes that a function's source names."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_the_list_is_complete():
    assert private_methods(TaggingTrainer) == set(OVERRIDDEN)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_private_method_has_its_parameters_and_is_called(name):
    parameters, caller = OVERRIDDEN[name]
    assert list(inspect.signature(getattr(Trainer, name)).parameters)[1:] == parameters
    assert name in names_in(getattr(Trainer, caller))


@pytest.mark.parametrize(("precision", "accelerates"), [("float32", "no"), ("bfloat16", "bf16")])
def test_trainer_reads_the_precision_that_is_set_after_its_options_are_made(precision, accelerates, tmp_path):
    options = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, bf16=precision == "float32")
    set_precision(options, precision)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertForTokenClassification(BertConfig(vocab_size=5, **sizes))
    trainer = Trainer(model=model, args=options, train_dataset=Dataset.from_dict({"input_ids": [[1]]}))
    assert trainer.accelerator.mixed_precision == accelerates
    with trainer.accelerator.autocast(), torch.no_grad():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == getattr(torch, precision)


@pytest.mark.slow
def test_a_trainer_trains_as_often_as_it_is_told(corpus, encoders, tmp_path):
    options = ("--max_steps", "2", "--save_strategy", "no", "--load_best_model_at_end", "false", "--use_cpu", "true")
    given = ["--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--output_dir", str(tmp_path)]
    arguments = parse([*given, *options], "")
    trainer = train.load_trainer(arguments, training_data(arguments.data), train.Start(None, 0.0, replaces_run=False))
    for _ in range(2):
        before = trainer.model.classifier.bias.clone()
        trainer.train()
        assert trainer.state.global_step == 2 and not torch.equal(trainer.model.classifier.bias, before)
