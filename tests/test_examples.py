"""The examples as a person runs them, each where its package is installed."""

import json
import re
import shutil
import subprocess
import sys
import textwrap

import architectures
import numpy as np
import pyarrow as pa
import pytest
from architectures import ARCHITECTURES, TEXT, params
from conftest import ROOT
from tokenizers import Tokenizer, pre_tokenizers
from trained_runs import QUICK, predictions, tagged

from examples import onnx_tagging
from ner import Entity, Tagger
from ner.encoder.case_markers import is_cased, with_case_markers
from ner.encoder.checkpoints import load_for_training, save_tokenizer
from ner.encoder.encoding import IGNORED, PROBE, encode
from ner.labels import label_names

NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
WITHOUT = """
import runpy, sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers", "scipy", "pyarrow", "huggingface_hub"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Refusal())
runpy.run_path("onnx_tagging.py", run_name="__main__")
"""


def test_the_notebook_is_kept_without_outputs():
    code = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert code and not [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None]


@pytest.mark.slow
def test_the_notebook_trains_tags_and_compares(corpus, encoders, tmp_path, monkeypatch):
    """From the folder that it is in, with a tiny encoder and corpus in place of its options."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    options = ["configs/quickstart.yaml", "--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), *QUICK]
    parameters.source = f"OPTIONS = {options}\nRUNS = Path({str(tmp_path)!r})"
    limits = {"timeout": None, "startup_timeout": 600, "iopub_timeout": 600}  # seconds, for a busy machine
    nbclient.NotebookClient(notebook, **limits, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    for run in (tmp_path / "A", tmp_path / "B"):
        assert (run / "manifest.json").is_file() and len(predictions(run / "test")) == 40
    assert (tmp_path / "report" / "report.html").is_file()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    logged = "".join(output["text"] for output in shown if output["output_type"] == "stream")
    assert (
        "train: train_en.jsonl, JSON with tokens and ner_tags; BIO; 120 sentences" in logged and "Warning" not in logged
    )
    kinds = [set(output["data"]) for output in shown if "data" in output]
    assert [k for k in kinds if "image/png" in k] and [k for k in kinds if "image/svg+xml" in k]
    (tables,) = (output["data"]["text/markdown"] for output in shown if "text/markdown" in output.get("data", ()))
    assert "| PER |" in tables and "| FOOD |" not in tables


@pytest.fixture
def spacy():
    return pytest.importorskip("spacy")


@pytest.fixture
def component():
    """Makes spaCy's factory known, and gives the example's module."""
    pytest.importorskip("spacy")
    from examples import spacy_component

    return spacy_component


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["Python", "spaCy"])
def test_the_lines_to_copy_tag(tool, masked_run, capsys):
    if tool == "spaCy":
        pytest.importorskip("spacy")
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    section = page.split(f"## {tool}\n")[1].split("\n## ")[0]
    lines = "\n".join(line for line in section.splitlines() if line.startswith("    ") or not line)
    code = textwrap.dedent(lines).replace("runs/quickstart", str(masked_run))
    exec(code.replace("Rabies kills bats", "a storm hit Lake Inari"), {})
    shown = capsys.readouterr().out
    assert "Lake Inari" in shown and "LOC" in shown


@pytest.mark.slow
def test_spacy_documents_have_the_taggers_entities(masked_run, component, spacy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ner.encoder.precision.multiplies_bfloat16", lambda device: False)  # whatever the hardware
    texts = [
        "a storm hit Lake Inari.",
        "",
        *(" ".join(line["tokens"]) for line in predictions(masked_run / "validation")),
    ]
    expected = Tagger.load(masked_run).tag(texts)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner_checkpoint", config={"checkpoint": str(masked_run)})
    nlp.to_disk(tmp_path)
    for each in (nlp, spacy.load(tmp_path)):
        documents = list(each.pipe(texts, batch_size=7))
        assert [document.text for document in documents] == texts
        for document, entities in zip(documents, expected, strict=True):
            found = [(e.label_, e.text, e.start_char, e.end_char) for e in document.ents]
            assert found == [(e.type, e.text, e.start, e.end) for e in entities]
            assert [e._.score for e in document.ents] == pytest.approx([e.score for e in entities], abs=0.01)
    component.main([str(masked_run), *texts[:1]])
    page = capsys.readouterr().out
    assert page.startswith("<!DOCTYPE html>") and "Lake Inari" in page and "LOC" in page


def test_an_entity_in_spacy_is_expanded_to_whole_tokens_and_none_is_lost(component, spacy):
    """spaCy divides this text at spaces only."""
    text, batches = "In Peru/Asia it rained", []
    peru, asia, verb = Entity("LOC", "Peru", 3, 7, 0.9), Entity("ORG", "Asia", 8, 12, 0.8), Entity("X", "ed", 20, 22, 1)

    class Stub:
        def tag(self, texts):
            batches.append(texts)
            return [[peru, asia, verb] for _ in texts]

    nlp = spacy.blank("en")
    nlp.tokenizer = spacy.tokenizer.Tokenizer(nlp.vocab)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(component.Tagger, "load", lambda checkpoint: Stub())
        nlp.add_pipe("ner_checkpoint", config={"checkpoint": "any"})
    for document in nlp.pipe([text] * 5, batch_size=3):
        assert [(e.text, e._.score) for e in document.ents] == [("Peru/Asia", 0.9), ("rained", 1)]
        assert [(e.text, e.label_) for e in document.spans["ner_checkpoint"]] == [
            ("Peru/Asia", "LOC"), ("Peru/Asia", "ORG"), ("rained", "X")]  # fmt: skip
    assert [len(batch) for batch in batches] == [3, 2]


@pytest.mark.parametrize("name", params(ARCHITECTURES))
def test_words_become_the_input_that_the_model_was_trained_with(name, tmp_path):
    """Where the tokenizer is an uncased one, with case markers."""
    model, tokenizer = load_for_training(str(architectures.save(tmp_path, name)), label_names(["X"]), masked=False)
    if not is_cased(tokenizer):
        tokenizer = with_case_markers(tokenizer, model)
    save_tokenizer(tokenizer, tmp_path / "run")
    words = [*TEXT, "\u200b", "北", "Peru", "\u200b"]
    expected = encode(pa.array(words), np.zeros(len(words)), np.array([len(words)]), tokenizer, window=1_000)
    alone = Tokenizer.from_file(str(tmp_path / "run" / "tokenizer.json"))
    input_ids, firsts = onnx_tagging.model_input(words, alone, tokenizer.unk_token)
    assert input_ids == expected.input_ids.tolist()
    assert firsts == np.flatnonzero(expected.labels != IGNORED).tolist()


@pytest.mark.slow
def test_onnxruntime_alone_tags_as_inference_does(exported_run, tmp_path, capsys):
    """In a folder with the example and the files that it says it needs, where torch and transformers are not found."""
    shutil.copy(onnx_tagging.__file__, tmp_path)
    for name in re.findall(r"ner/[\w/]+\.py", onnx_tagging.__doc__):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def tag(*texts: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", WITHOUT, exported_run / "onnx", *texts]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")

    texts = [" ".join(line["tokens"]) for line in predictions(exported_run / "test")]
    texts += ["", "  ", "北京 in Lake Inari, \u200b Ada Moss's bats", "[SEP] rabies [MASK]"]
    (tmp_path / "in.txt").write_text("\n".join(texts), encoding="utf-8")
    expected = tagged(capsys, "--checkpoint", exported_run / "onnx", "--input_file", tmp_path / "in.txt")
    found = tag(*texts)
    assert found.returncode == 0, found.stderr
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    scores = [[e.pop("score") for line in each for e in line["entities"]] for each in (lines, expected)]
    assert lines == expected and len(scores[0]) > 40
    assert scores[0] == pytest.approx(scores[1], abs=2e-4)
    long = tag("bats " * 100)
    assert long.returncode == 2 and long.stdout == ""
    assert re.fullmatch(
        r"error: found a text of \d+ sub-tokens, .*; expected at most 64, .* inference.py\n", long.stderr
    )


def test_the_example_puts_spaces_before_words_where_the_encoder_does(tmp_path):
    """For a tokenizer to which words and text differ at punctuation only."""
    encoder = architectures.save(tmp_path, "deberta v3")
    _, tokenizer = load_for_training(str(encoder), label_names(["X"]), masked=False)
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Metaspace()]
    )
    words = ["storm", ",", "Peru"]
    expected = encode(pa.array(words), np.zeros(3), np.array([3]), tokenizer, window=100)
    assert onnx_tagging.model_input(words, backend, tokenizer.unk_token)[0] == expected.input_ids.tolist()
    assert onnx_tagging.PROBE == PROBE
