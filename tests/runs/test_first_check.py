"""What a script says about its command line before it imports torch."""

import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from arguments import GROUPS, parse, recorded
from ner.errors import InputError
from ner.options import parser_of
from ner.runs.first_check import first_check, option_names

RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("torch" in sys.modules and sys.modules["torch"] is not None)
"""


def ran(script: str, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", RUN]
    return subprocess.run([*command, script, *words], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.py", "--learnin_rate", "3"], "unknown option --learnin_rate; did you mean 'learning_rate'?"),
        (["train.py", "--overwrite_output_dir", "true"], "--overwrite_output_dir; did you mean 'output_dir'?"),
        (["train.py", "confgs/x.yaml"], "confgs/x.yaml: no such file; expected"),
        (["train.py", "configs/fst.yaml"], "configs/fst.yaml: no such file; did you mean 'configs/fast.yaml'?"),
        (["train.py", "--dataset", "tests/nothing"], "found no file or folder 'tests/nothing'"),
        (["inference.py", "--checkpoint=tests"], "--checkpoint: the folder tests holds no config.json"),
        (["inference.py", "--input_file", "tests/conftst.py"], "--input_file: found no file 'tests/conftst.py'; check"),
        (["data.py", "--test_file", "tests/conftst.py"], "found no file 'tests/conftst.py'; check the path; did"),
        (["study.py", "run", "studies/maskin.yaml"], "studies/maskin.yaml: no such file; did you mean 'masking.yaml'?"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_said_before_torch_is_imported(words, message):
    done = ran(*words)
    assert (done.returncode, done.stdout) == (2, "False\n") and message in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_help_is_that_of_the_parser_and_needs_no_torch(capsys, monkeypatch):
    done = ran("train.py", "--help")
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(SystemExit):
        parse(["--help"], "Fine-tune a tagger and write a run folder.\nmore")
    assert done.returncode == 0 and done.stdout == capsys.readouterr().out + "False\n"


def test_every_option_of_the_parser_is_known():
    actions = parser_of(GROUPS, "")._actions
    words = {word for action in actions for word in action.option_strings if word.startswith("--")}
    assert {word[2:].replace("-", "_") for word in words} - {"help"} <= option_names()


def test_a_config_file_and_odd_values_pass():
    config = str(ROOT / "configs" / "recommended.yaml")
    first_check([config, "--seed", "-1", "--no_bf16", "--text", "--to be tagged"], "model_checkpoint")


def test_a_recorded_run_passes(tmp_path):
    (tmp_path / "args.yaml").write_text(yaml.safe_dump(recorded(parse(["--dataset", "sample"], None))))
    first_check([str(tmp_path / "args.yaml")], "model_checkpoint")


def test_what_a_command_does_not_read_may_be_absent(tmp_path):
    (tmp_path / "args.yaml").write_text("dataset: /nothing/here\nmodel_checkpoint: /nothing/there\n")
    first_check([str(tmp_path / "args.yaml"), "--text", "Rabies kills bats."], "checkpoint")
    first_check([str(tmp_path / "args.yaml"), "--input-file", "-"], "checkpoint")
    with pytest.raises(InputError, match="--dataset"):
        first_check([str(tmp_path / "args.yaml")], "checkpoint")
    resumed = [str(tmp_path / "args.yaml"), "--dataset", "sample", "--resume_from_checkpoint", "true"]
    first_check(resumed, "model_checkpoint")
    first_check(resumed[:-1], "model_checkpoint")
    with pytest.raises(InputError, match="--model_checkpoint"):
        first_check(resumed[:3], "model_checkpoint")


def test_a_text_that_begins_as_an_option_does_is_a_text():
    first_check(["--text", "--seed-rate=3 was used."], "checkpoint")
    with pytest.raises(InputError, match="unknown option --seed-rate"):
        first_check(["--seed-rate=3"])
