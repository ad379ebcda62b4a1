"""From a checkpoint's place to a model and its tokenizer."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

from ner.checkpoint_names import resolve_checkpoint
from ner.errors import InputError, message_of
from ner.files import read_record, write_json
from ner.hub_files import fetch_optional
from ner.labels import classes_of, is_label
from ner.runs.files import INDEX, ONNX, TOKENIZER, WEIGHTS

log = logging.getLogger("ner")
CALIBRATION = "score_calibration"  # what config.json calls the calibration of a trained tagger's scores
NEEDS_CODE = "needs its own code, which this project never runs; name a checkpoint that transformers loads by itself"
NO_SAFETENSORS = (
    "holds no safetensors; expected model.safetensors, or the model.onnx of an export (other forms can run code when "
    "they are loaded); save the model and its tokenizer again with save_pretrained"
)
NO_TOKENIZER = (
    "holds no usable tokenizer.json; expected a fast tokenizer's files; write them with transformers: "
    "AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER), for which some need `pip install sentencepiece`"
)
QUIET = threading.RLock()  # what `quiet` sets belongs to the process, and a second thread would restore the first one's
transformers_logging.disable_progress_bar()  # of loading weights, and of the Hub's client


@contextmanager
def quiet() -> Iterator[None]:
    """Hides log lines up to warnings, and Python's warnings, about which a person can do nothing."""
    with QUIET, warnings.catch_warnings(action="ignore"):
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


@contextmanager
def loading(location: str) -> Iterator[None]:
    """Around a library's reading of a checkpoint, whose files can contain anything: each error is an `InputError`."""
    try:
        with quiet():
            yield
    except Exception as error:
        message = message_of(error)
        if "trust_remote_code" in message:
            message = NEEDS_CODE
        elif "file named model.safetensors" in message:
            message = lacking(location, NO_SAFETENSORS)
        elif "tiktoken" in message:  # transformers' last resort for a sentencepiece file
            message = lacking(location, NO_TOKENIZER)
        else:
            message = f"cannot be loaded: {message}"
        raise InputError(f"{location}: {message}") from error


def lacking(location: str, message: str) -> str:
    """The message that a file is missing; offline, it may only be missing from the Hub's cache."""
    if constants.HF_HUB_OFFLINE and not os.path.isdir(location):
        return "some of its files are not cached, and HF_HUB_OFFLINE is set; unset it once to download them"
    return message


def fetch_files(location: str) -> None:
    """Downloads a checkpoint from the Hub. Raises `InputError` where it has no safetensors.

    transformers by itself would continue without a file that the Hub fails to send, and would ask another service to
    convert weights of another form.
    """
    if os.path.isdir(location) or constants.HF_HUB_OFFLINE:
        return
    remedy = "try again later, or set HF_HUB_OFFLINE=1 to use what is in the cache"
    found = [name for name in (WEIGHTS, INDEX, *TOKENIZER) if fetch_optional(location, name, remedy)]
    if not {WEIGHTS, INDEX} & set(found):
        raise InputError(f"{location}: {NO_SAFETENSORS}")


def load_config(location: str) -> PreTrainedConfig:
    """The `config.json` at a place that `resolve_checkpoint` gave.

    Raises `InputError` where it cannot be used, or names code to run.
    """
    with loading(location):
        config = AutoConfig.from_pretrained(location, trust_remote_code=False)
    if "/" in str(config._attn_implementation):  # a repository of compiled kernels
        raise InputError(f"{location}: {NEEDS_CODE}")
    return config


def load_tokenizer(location: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer, without limits, at a place that `resolve_checkpoint` gave.

    Raises `InputError` where it cannot be loaded, or is not a fast one.
    """
    with loading(location):
        # `add_prefix_space`: byte-level tokenizers must see each word of a pre-split sentence as one inside a text.
        tokenizer = AutoTokenizer.from_pretrained(location, add_prefix_space=True, trust_remote_code=False)
    # Without its file, transformers makes a tokenizer of special tokens, some of them twice, and for T5 of a bare `▁`.
    if not tokenizer.is_fast or not tokenizer.get_vocab().keys() - {*tokenizer.all_special_tokens, "▁"}:
        raise InputError(f"{location}: {lacking(location, NO_TOKENIZER)}")
    tokenizer.backend_tokenizer.no_truncation()  # its file may have set a limit
    tokenizer.backend_tokenizer.no_padding()
    if tokenizer.pad_token is None:  # as GPT-2's; the attention mask hides what is padded
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes a tokenizer that versions 4 and 5 of transformers load and use alike.

    By itself, version 5 writes names that version 4 does not know, relies on another default for the model's inputs,
    and keeps an `add_prefix_space` that only version 4 applies to every tokenizer.
    """
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = read_record(path)
    if settings["tokenizer_class"] == "TokenizersBackend":
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
        settings["model_input_names"] = tokenizer.model_input_names
    if "extra_special_tokens" in settings:
        settings["additional_special_tokens"] = settings.pop("extra_special_tokens")
    if not getattr(tokenizer.backend_tokenizer.pre_tokenizer, "add_prefix_space", False):
        settings.pop("add_prefix_space", None)
    write_json(path, settings)


def load_model(location: str, config: PreTrainedConfig, new_head: bool) -> PreTrainedModel:
    """The model, in float32 and from safetensors only, at a place that `resolve_checkpoint` gave.

    Weights that the checkpoint lacks start at random: an error, except for a pooler, which tagging does not use, and,
    if `new_head`, for all that is not the encoder. NaN and infinity are errors as well.
    """
    with loading(location):
        model, info = AutoModelForTokenClassification.from_pretrained(
            location, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True,
            output_loading_info=True, trust_remote_code=False,
        )  # fmt: skip
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
            f"{location}: found NaN or infinity in {len(broken)} of its tensors, such as {broken[0]}; expected finite "
            "numbers; its training diverged, or the file is damaged: train it again at a lower learning rate, or "
            "take another checkpoint"
        )
    return model


def load_for_training(name: str, names: list[str], masked: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A pre-trained encoder with a classifier for the labels `names`; its config says whether others were masked.

    The classifier is that of the checkpoint if it was trained for the same labels, in any order, else a new one.
    """
    location = resolve_checkpoint(name)
    config = load_config(location)
    earlier = label_set(config)
    has_classifier = any(name.endswith("Classification") for name in config.architectures or ())
    config.id2label, config.label2id = dict(enumerate(names)), {label: i for i, label in enumerate(names)}
    config.masked_training, config.classes = masked, classes_of(names)
    config.trained_window = None  # this and the calibration are those of an earlier training, if any
    setattr(config, CALIBRATION, None)
    config.output_hidden_states = config.output_attentions = False  # Trainer would take them for logits
    fetch_files(location)
    tokenizer = load_tokenizer(location)
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # else only the first process would have the weights
    same_labels = sorted(earlier) == sorted(names)
    model = load_model(location, config, new_head=not same_labels)
    if earlier or has_classifier:
        classifier = classifier_of(model)
        if same_labels:
            log.info("classifier: the checkpoint's, because the labels are the same")
            order = [earlier.index(label) for label in names]
            for values in classifier.parameters():
                values.data = values.data[order]
        else:
            log.info("classifier: new, because the checkpoint was trained for other labels")
            classifier.weight.data.normal_(std=getattr(config, "initializer_range", 0.02))
            if classifier.bias is not None:
                classifier.bias.data.zero_()
    return model, tokenizer


def classifier_of(model: PreTrainedModel) -> torch.nn.Linear:
    """The layer that gives the logits, whatever its name: the last one beside the encoder."""
    *_, classifier = (
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith(f"{model.base_model_prefix}.")
    )
    return classifier


def load_for_tagging(location: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The fine-tuned checkpoint at a place that `resolve_checkpoint` gave.

    For an export, the weights are in `model.onnx`, and the model has none: its parameters are on torch's device `meta`.
    Raises `InputError` where the checkpoint has no label set, or cannot be loaded.
    """
    config = load_config(location)
    if not label_set(config):
        raise InputError(
            f"{location}: found the labels {', '.join(map(str, list(config.id2label.values())[:4]))}; expected O, "
            "B-CLASS, I-CLASS; this is no checkpoint of a trained tagger: train it first"
        )
    fetch_files(location)
    tokenizer = load_tokenizer(location)
    if not (Path(location) / ONNX).is_file():
        return load_model(location, config, new_head=False).eval(), tokenizer
    with torch.device("meta"):
        return AutoModelForTokenClassification.from_config(config, trust_remote_code=False), tokenizer


def label_set(config: PreTrainedConfig) -> list[str]:
    """The label names in the order of their ids; empty unless all are BIO labels, which `LABEL_0` is not."""
    names = [str(config.id2label.get(i)) for i in range(len(config.id2label))]
    return names if "O" in names and all(map(is_label, names)) else []
