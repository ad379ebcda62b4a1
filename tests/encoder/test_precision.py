"""The precision that the hardware suits."""

import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from architectures import SIZES, save
from transformers import AutoConfig, AutoModelForTokenClassification, TrainingArguments

from ner.encoder import precision as precision_module
from ner.encoder.checkpoints import load_for_training
from ner.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def options(**values: object) -> SimpleNamespace:
    """Training arguments that nothing was said about, as TrainingArguments derives them."""
    return SimpleNamespace(**({"bf16": None, "fp16": False, "mixed_precision": "no"} | values))


def chosen(model_type: str = "bert", **values: object) -> str:
    """The precision that is chosen where options say `values`."""
    return precision_module.choose_precision(precision_module.asked_precision(options(**values)), CPU, model_type)


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_is_chosen_where_the_hardware_multiplies_it(has, monkeypatch, caplog):
    monkeypatch.setattr(precision_module, "multiplies_bfloat16", lambda device: has)
    precision = chosen()
    assert precision == ("bfloat16" if has else "float32")
    assert f"bfloat16: {'on' if has else 'off'}, the hardware" in caplog.text
    settled = options()
    precision_module.set_precision(settled, precision)
    assert precision_module.asked_precision(settled) == precision
    assert (settled.bf16, settled.mixed_precision) == (has, "bf16" if has else "no")


@pytest.mark.parametrize(
    ("given", "precision"),
    [
        ({"bf16": True, "mixed_precision": "bf16"}, "bfloat16"),
        ({"bf16": False, "mixed_precision": "bf16"}, "float32"),  # accelerate's setting, and the command line's
        ({"fp16": True, "mixed_precision": "fp16"}, "float16"),
        ({"mixed_precision": "fp16"}, "float16"),
    ],
)
def test_what_was_asked_for_comes_before_the_hardware(given, precision, monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(precision_module, "multiplies_bfloat16", lambda device, has=has: has)
        assert chosen(**given) == precision
        settled = options(**given)
        precision_module.set_precision(settled, precision)
        assert (settled.bf16, settled.fp16) == (precision == "bfloat16", precision == "float16")
        assert precision_module.asked_precision(settled) == precision


def test_a_precision_of_accelerate_that_trainer_does_not_have_is_refused():
    with pytest.raises(InputError, match="--mixed_precision: found fp8; expected no, bf16, fp16"):
        chosen(mixed_precision="fp8")


def test_a_model_that_fails_in_bfloat16_is_left_in_float32(monkeypatch, caplog):
    monkeypatch.setattr(precision_module, "multiplies_bfloat16", lambda device: True)
    assert chosen("deberta") == "float32"
    assert "bfloat16: off, transformers' deberta fails in it" in caplog.text
    assert chosen("deberta", bf16=False) == "float32"


MORE = {"deberta": {"relative_attention": True}, "xmod": {"default_language": "en", "languages": ["en"]}}


@pytest.mark.parametrize("kind", sorted(precision_module.FLOAT32_ONLY))
def test_the_models_that_fail_in_bfloat16_still_do(kind):
    sizes = SIZES | {"vocab_size": 50, "max_position_embeddings": 130} | MORE.get(kind, {})
    config = AutoConfig.for_model(kind, **sizes)
    model, ids = AutoModelForTokenClassification.from_config(config), torch.full((1, 128), 5)
    model(input_ids=ids)
    with pytest.raises(RuntimeError):
        with torch.autocast("cpu", torch.bfloat16):
            model(input_ids=ids).logits.float().sum().backward()
        model.bfloat16()(input_ids=ids)


@pytest.mark.parametrize(("major", "has"), [(7, False), (8, True), (9, True)])
def test_a_gpu_is_asked_for_its_compute_capability(major, has, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", {GPU: SimpleNamespace(major=major)}.get)
    assert precision_module.multiplies_bfloat16(GPU) is has


def test_torch_names_what_a_cpu_has_as_the_system_does():
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file() or platform.machine() != "x86_64":
        pytest.skip("no /proc/cpuinfo of an x86-64 CPU")
    flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")).split()
    for name in ("amx_bf16", "avx512_bf16", "avx512_fp16"):
        has = torch.cpu.get_capabilities()[name]  # a KeyError: torch has renamed it
        assert has or name not in flags  # an older kernel does not list all
    assert not precision_module.multiplies_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    ("has", "fast"),
    [
        ({"amx_bf16", "avx512_bf16", "avx512_fp16"}, True),
        ({"avx512_bf16", "avx512_fp16"}, False),  # Intel, with AMX hidden: products of bfloat16 are slow
        ({"avx512_bf16"}, True),  # AMD
        (set(), False),
    ],
)
def test_a_cpu_is_asked_for_its_instructions(has, fast, monkeypatch):
    flags = {name: name in has for name in ("amx_bf16", "avx512_bf16", "avx512_fp16")}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    assert precision_module.multiplies_bfloat16(CPU) is fast


def test_a_single_process_trains_on_one_gpu(tmp_path, caplog):
    options = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    options._n_gpu = 4
    precision_module.use_one_gpu(options)
    assert options.n_gpu == 1 and options.train_batch_size == options.per_device_train_batch_size
    assert "found 4 GPUs" in caplog.text


@pytest.mark.parametrize("name", ["modernbert", "eurobert"])
def test_the_frequencies_of_rotary_positions_are_not_rounded(name, tmp_path):
    model, _ = load_for_training(str(save(tmp_path, name)), ["O", "B-X", "I-X"], False)
    exact = {n: values.clone() for n, values in model.named_buffers() if n.endswith("inv_freq")}
    model = precision_module.in_precision(model, CPU, "bfloat16")
    found = dict(model.named_buffers())
    assert exact and all(torch.equal(found[n], values) for n, values in exact.items())
    assert {weights.dtype for weights in model.parameters()} == {torch.bfloat16}
    assert model(input_ids=torch.full((1, 9), 5)).logits.dtype == torch.bfloat16
