import json
from pathlib import Path

import pytest
import yaml

from arguments import FIXED, parse, recorded
from ner.encoder.precision import asked_precision, choose_precision, set_precision
from ner.errors import InputError
from ner.files import optional_record
from ner.options import described

OTHER_VALUES = dict.fromkeys(sorted(FIXED), "true") | {
    "dataloader_in_order": "false", "debug": "tpu_metrics_debug", "eval_do_concat_batches": "false",
    "hub_strategy": "checkpoint",
}  # fmt: skip
CONFIGS = {path.stem: path for path in sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))}


def parsed(*argv: object):
    return parse([str(a) for a in argv], "test")


def test_the_defaults_are_the_original_experiment():
    a = parsed()
    assert (a.data.dataset, a.data.languages) == ("Babelscape/multinerd", ["en"])
    assert a.model.model_checkpoint == "distilbert-base-uncased"
    t = a.training
    assert (t.learning_rate, t.num_train_epochs, t.per_device_train_batch_size, t.weight_decay) == (2e-5, 4, 16, 0.01)
    assert (t.eval_strategy, t.save_strategy, t.load_best_model_at_end) == ("epoch", "epoch", True)
    assert (t.metric_for_best_model, t.greater_is_better) == ("f1", True)


@pytest.mark.parametrize("masking", [("--masking", "drop_others"), ("--masked_share", "0.5")])
def test_up_sampling_takes_each_class_that_masking_keeps(masking):
    words = ("--masked_training", "true", "--upsample", "true", "--upsample_categories", "FOOD", *masking)
    assert parsed(*words).data.upsample


@pytest.mark.parametrize("name", ["reduce_lr_on_plateau", "greedy"])
def test_a_schedule_that_follows_the_metric_knows_which_way_is_better(name):
    for metric, mode in (("f1", "max"), ("loss", "min")):
        options = parsed("--lr_scheduler_type", name, "--metric_for_best_model", metric).training
        assert options.lr_scheduler_kwargs == {"mode": mode}
    own = parsed("--lr_scheduler_type", name, "--lr_scheduler_kwargs", '{"mode": "min", "patience": 2}').training
    assert own.lr_scheduler_kwargs == {"mode": "min", "patience": 2}


def test_default_then_file_then_command_line(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "learning_rate: 2e-5\nseed: 7\nlanguages: [en, de]\nmax_length: null\nhub-token: hf_a\nlog_level: info\n"
    )
    a = parsed(path, "--seed", 9, "--upsample", "--bf16=false", "--no_load_best_model_at_end")
    assert (a.training.learning_rate, a.training.seed, a.data.languages) == (2e-5, 9, ["en", "de"])
    assert a.data.upsample and not a.training.bf16 and not a.training.load_best_model_at_end
    assert set(described(a.given, a.values)) == {
        f"learning_rate = 2e-05  ({path})", f"languages = ['en', 'de']  ({path})", f"hub_token = ***  ({path})",
        f"log_level = info  ({path})", "seed = 9  (command line)", "upsample = True  (command line)",
        "bf16 = False  (command line)", "load_best_model_at_end = False  (command line)",
    }  # fmt: skip


def test_numbers_in_mappings_are_numbers_in_a_file_too(tmp_path):
    text = '{"min_lr": 1e-5, "a": [2E3, -1.5e+2], "b": {"c": 7, "d": "1e-5", "e": true}}'
    expected = parsed("--lr_scheduler_kwargs", text).training.lr_scheduler_kwargs
    assert expected["min_lr"] == 1e-5 and expected["b"]["d"] == "1e-5"
    (tmp_path / "a.yaml").write_text("lr_scheduler_kwargs:\n  min_lr: 1e-5\n  a: [2E3, -1.5e+2]\n"
                                     "  b: {c: 7, d: '1e-5', e: true}\n")  # fmt: skip
    assert parsed(tmp_path / "a.yaml").training.lr_scheduler_kwargs == expected


def test_a_training_file_is_recorded_as_the_data_set(tmp_path):
    both = [recorded(parsed(*words, "--test_file", "b.conll")) for words in (("--train_file", "a"), ("--dataset", "a"))]
    assert both[0] == both[1] and (both[0]["dataset"], both[0]["train_file"]) == ("a", None)
    (tmp_path / "args.yaml").write_text(yaml.safe_dump(both[0]))
    assert recorded(parsed(tmp_path / "args.yaml")) == both[0]


NUMBERS = (
    "learning_rate", "weight_decay", "max_grad_norm", "adam_beta1", "adam_beta2", "adam_epsilon", "warmup_steps",
    "logging_steps", "eval_steps", "save_steps", "eval_delay", "neftune_noise_alpha", "label_smoothing_factor",
    "num_train_epochs", "word_dropout",
)  # fmt: skip
COUNTS = ("per_device_train_batch_size", "max_steps", "save_total_limit", "eval_accumulation_steps")
NAMED = ("dataset", "train_file", "validation_file", "test_file", "checkpoint", "input_file", "output_file", "html")
NO_EVALUATION = "--eval_strategy no --save_strategy no --load_best_model_at_end false"


@pytest.mark.parametrize(
    ("command_line", "message"),
    [
        ("--learning_rat 1", "unknown option --learning_rat; did you mean 'learning_rate'"),
        ("--learn 1", "unknown option --learn"),
        ("--learning_rate fast", "^--learning_rate.*invalid float value: 'fast'"),
        ("--upsample_factor 0", "--upsample_factor: found 0; expected a number of at least 1"),
        ("--languages en 99", "--languages: found en 99; expected codes such as en, de or zh-CN"),
        ("--languages en en", "--languages: found en en; expected each once"),
        *[(f"--{name} {value}", f"--{name}: found {value}") for name in NUMBERS for value in ("nan", "inf")],
        *[(f"--{name} -2", f"--{name}: found -2") for name in (*NUMBERS, *COUNTS)],
        *[(f"--{name} 0", f"--{name}: found 0") for name in COUNTS],
        (f"--seed {2**32}", "--seed: found 4294967296"),
        ("--data_seed -1", "--data_seed: found -1"),
        ("--adam_beta2 1", "--adam_beta2: found 1.0; expected at least 0 and less than 1"),
        *[(f"--{name} {value}", f"--{name}: found .*; expected its default, ") for name, value in OTHER_VALUES.items()],
        ("--crf_loss true --label_smoothing_factor 0.1", "--crf_loss, --label_smoothing_factor: found both"),
        ("--metric_for_best_model f2", "--metric_for_best_model: found 'f2'; expected f1"),
        (f"--early_stopping_patience 1 {NO_EVALUATION}", "--early_stopping_patience: found --eval_strategy no"),
        ("--train_sampling_strategy randm", "invalid choice: 'randm' .choose from '?group_by_length.*sequential"),
        ("--lr_scheduler_kwargs {", "training arguments: Expecting property name"),
        ("--split dev", "--split: invalid choice: 'dev' .choose from '?test'?, '?validation"),
        ("--text a --input_file b", "found both"),
        ("--output_file b", "--output_file: found nothing to tag"),
        ("--text a --output_file b.csv", "--output_file: found b.csv; the output is JSON lines; end its name in"),
        ("--min_score 0.9", "--min_score: found nothing to tag"),
        ("--html b", "--html: found nothing to tag"),
        *[(f"--{name}=", f"--{name}: found ''; expected a name") for name in NAMED],
        ("--text a --html ./b --output_file b", "--html and --output_file: found ./b for both"),
        ("--text a --continue true", "--continue: found no output file; expected --output_file"),
        ("--input_file a.json", "--input_file: found a.json; expected lines of text, or a table"),
        *[(f"--input_file a.{s}", f"found a.{s}, a table; .*--text_column") for s in ("TSV", "jsonl", "parquet")],
        ("--input_file a.txt --text_column b", "--text_column: found a.txt; expected --input_file with a table"),
        ("--text_column b", "--text_column: found no file"),
        ("--min_score 90 --text a", "--min_score: found 90.0; expected 0 to 1"),
        ("--masked_training true --upsample true --upsample_categories FOOD", "masking removes FOOD"),
        ("--eval_strategy steps --save_strategy steps --eval_steps 50", "--save_steps, --eval_steps: found 500 and 50"),
        ("--masking ignore", "--masking: found ignore without --masked_training; expected --masked_training true"),
        ("--upsample_at_random true", "--upsample_at_random: found True without --upsample; expected --upsample true"),
        ("--masked_share 0.5", "--masked_share: found 0.5 without --masked_training; expected"),
        ("--masking drop_sentence", "--masking: invalid choice: 'drop_sentence' .*drop_sentences"),
        ("--masked_training true --masked_share 1.5", "--masked_share: found 1.5; expected 0 to 1"),
        ("--masked_training true --masked_share 0.5 --masking drop_others", "found drop_others and 0.5; expected as_O"),
        ("a b", "^a: no such file"),
        ("--seed 1 stray", "found 'stray'"),
        ("-x", "found '-x'"),
        ("--save_strategy best --eval_strategy no", "--load_best_model_at_end: found no evaluation by which"),
        ("--eval_strategy no", "--load_best_model_at_end: found no evaluation by which"),
        ("--eval_delay 500", "--load_best_model_at_end: found no evaluation by which"),
        ("--languages en de c.yaml", "--languages: found c.yaml among its values; expected the config file first"),
    ],
)
def test_wrong_options(command_line, message):
    with pytest.raises(InputError, match=message):
        parsed(*command_line.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nlearning_rat: 1\n", ":2: unknown option --learning_rat; did you mean 'learning_rate'"),
        ("seed: 1\n\nseed: 2\n", ":3: --seed is given twice"),
        ("seed: 1\nlanguages: [en, --seed=2]\n", ":2: --languages is given twice"),
        ("seed: 2e-5\n", ":1: --seed: invalid int value: '2e-5'"),
        ("seed: [1, 2]\n", ":1: found '2', which belongs to no option; .* only lists take several values"),
        ("languages: []\n", ":1: --languages: expected at least one argument"),
        ("seed:\n", ":1: --seed has no value"),
        ("no_load_best_model_at_end: true\n", ":1: --no_load_best_model_at_end.*ignored explicit argument"),
        ("lr_scheduler_kwargs: {x: 2020-01-01}\n", ":1: cannot be read: .*date is not JSON serializable"),
        ("lr_scheduler_kwargs: {x: 2024-02-31}\n", ":1: cannot be read: day is out of range"),
        ("lr_scheduler_kwargs: {a: &a [1], b: *a}\n", "found an alias"),
        ("? [a]\n: 1\n", ":1: found a list or a mapping; expected `field: value`"),
        ("- seed\n", "found no `field: value` lines"),
    ],
)
def test_wrong_files(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=rf"^{tmp_path}/c\.yaml.*{message}") as error:
        parsed(tmp_path / "c.yaml")
    assert "\n" not in str(error.value)


def test_odd_files(tmp_path):
    (tmp_path / "c.yaml").write_text("languages: [[en]]")
    with pytest.raises(InputError, match=r"""--languages: found \["en"\]; expected codes such as en"""):
        parsed(tmp_path / "c.yaml")
    (tmp_path / "empty.yaml").write_text("# only defaults\n")
    assert recorded(parsed(tmp_path / "empty.yaml")) == recorded(parsed())


@pytest.mark.parametrize("name", CONFIGS)
def test_each_config_parses_and_lists_only_what_differs(name):
    a, default = parsed(CONFIGS[name]), recorded(parsed())
    options = yaml.safe_load(CONFIGS[name].read_text())
    assert all(str(default.get(k)) != str(options[k]) for k in options if name != "distilbert_default")
    assert Path(a.training.output_dir) == Path("runs") / name


def test_the_five_experiments_and_the_recipes():
    a = {name: parsed(path) for name, path in CONFIGS.items()}
    assert {name: (v.data.masked_training, v.data.upsample) for name, v in a.items()} == {
        "distilbert_default": (False, False), "distilbert_default_upsampled": (False, True),
        "distilbert_masked": (True, False), "distilbert_masked_upsampled": (True, True),
        "roberta_default": (False, False), "quickstart": (False, False), "plain": (False, False),
        "fast": (False, False), "recommended": (False, False), "recommended_base": (False, False),
        "recommended_multilingual": (False, False),
    }  # fmt: skip
    assert a["roberta_default"].model.model_checkpoint == "roberta-base"
    encoder_and_data = {"model_checkpoint", "dataset", "languages", "masked_training", "bf16"}
    assert not encoder_and_data & a["recommended"].given.keys()
    recipe = {k: v for k, v in recorded(a["recommended"]).items() if k in a["recommended"].given}
    own = {"model_checkpoint", "learning_rate", "warmup_steps", "output_dir", "case_markers"}  # the others are the same
    for name in ("recommended_base", "recommended_multilingual"):
        assert {k: recorded(a[name])[k] for k in recipe.keys() - own} == {k: recipe[k] for k in recipe.keys() - own}
        assert a[name].given.keys() == (recipe.keys() | own) - {"case_markers"}  # these encoders are cased


@pytest.mark.parametrize("device", [False, True])
def test_bfloat16_needs_no_words_about_the_cpu_where_there_is_no_gpu(device, tmp_path, monkeypatch):
    (tmp_path / "args.yaml").write_text("bf16: true\n")
    monkeypatch.setattr("torch.accelerator.is_available", lambda: device)
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: device)
    for argv in ([tmp_path / "args.yaml"], ["--bf16", "true"]):
        a = parsed(*argv)
        assert a.training.use_cpu is not device and "use_cpu" not in recorded(a)


def test_the_precision_that_accelerate_was_told_is_recorded(monkeypatch):
    for name, bf16, fp16 in (("fp16", False, True), ("bf16", True, None)):
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", name)
        a = parsed()
        asked = asked_precision(a.training)
        set_precision(a.training, choose_precision(asked, a.training.device, "bert"))
        assert (recorded(a)["bf16"], recorded(a).get("fp16")) == (bf16, fp16)


def test_what_is_recorded_parses_to_the_same_and_holds_no_secret(tmp_path):
    a = parsed("--learning_rate", "3e-4", "--masked_training", "--hub_token", "hf_secret", "--adam_beta1", "0.8",
               "--lr_scheduler_type", "cosine", "--push_to_hub", "true", "--run_name", "2e-5_batch16",
               "--accelerator_config", '{"split_batches": true}')  # fmt: skip
    given = recorded(a)  # not what was derived from it
    assert (given["accelerator_config"], given["greater_is_better"]) == ('{"split_batches": true}', None)
    text = yaml.safe_dump(recorded(a))
    assert not any(word in text for word in ("secret", "push", "report"))
    assert "warmup" not in text  # equal to transformers' default
    (tmp_path / "args.yaml").write_text(text)
    b = parsed(tmp_path / "args.yaml")
    assert recorded(b) == recorded(a)
    assert optional_record(tmp_path / "args.yaml")["run_name"] == "2e-5_batch16"  # begins as a number does
    assert json.dumps(recorded(b)["lr_scheduler_type"]) == '"cosine"'
    assert (b.training.adam_beta1, b.training.learning_rate) == (0.8, 3e-4)


def test_local_names_are_recorded_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    found = recorded(parsed("--dataset", "data", "--model_checkpoint", "~/data"))
    assert found["dataset"] == found["model_checkpoint"] == str(tmp_path / "data")
    assert recorded(parsed("--dataset", "sample"))["dataset"] == "sample"


def test_help_shows_each_option_once(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        parsed("--help")
    text = capsys.readouterr().out
    assert stop.value.code == 0
    for name in ("--masked_training", "--upsample_factor", "--output_dir", "--checkpoint"):
        assert text.count(f"  {name} ") + text.count(f"  {name},") == 1
    assert "default: 2e-05" in text
