"""What is measured at the start, and what is chosen by it."""

import pytest
import torch
from transformers import BertConfig, BertModel

import hardware


@pytest.mark.parametrize(("speedup", "chosen"), [(2.0, True), (1.0, False), (0.4, False)])
def test_bfloat16_is_chosen_where_it_is_faster(speedup, chosen, monkeypatch, caplog):
    monkeypatch.setattr(hardware, "bfloat16_speedup", lambda device, size: speedup if size == 32 else 0.1)
    with caplog.at_level("INFO", "ner"):
        assert hardware.bfloat16_pays(torch.device("cpu"), BertConfig(hidden_size=32)) is chosen
    assert f"bfloat16: {'on' if chosen else 'off'}, measured {speedup} times as fast" in caplog.text


def test_the_speedup_is_that_of_the_two_times(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(hardware.time, "perf_counter", lambda: next(clock))
    assert hardware.bfloat16_speedup(torch.device("cpu"), 8, rows=4) == 1.0


def test_freed_memory_may_be_kept_at_any_time():
    hardware.keep_freed_memory()
    assert torch.zeros(10_000_000).sum() == 0


def test_layers_pass_bfloat16_on_under_autocast_only():
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                 intermediate_size=64)).eval()  # fmt: skip
    ids = torch.arange(24).view(2, 12)
    with torch.no_grad():
        before = model(ids).last_hidden_state
        hardware.stay_in_bfloat16(model)
        assert torch.equal(model(ids).last_hidden_state, before)
        with torch.autocast("cpu", torch.bfloat16):
            after = model(ids).last_hidden_state
    assert after.dtype == torch.bfloat16 and before.dtype == torch.float32
    assert torch.allclose(after.float(), before, atol=0.05)
