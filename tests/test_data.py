import itertools
import json
import re
from collections import Counter
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest
from conftest import NAMES, row, write_jsonl, write_splits
from scipy import stats

import data
import inference
import train
from arguments import DataArguments, parse
from data import training_data
from ner.corpus import readers
from ner.corpus.audit import class_counts, unbalanced
from ner.corpus.readers import read_whole
from ner.corpus.sources import Source
from ner.errors import InputError
from ner.labels import MULTINERD_CLASSES


@pytest.fixture
def small(tmp_path):
    """Training rows with a duplicate, a leak into each other split, and rare classes."""
    train = [
        row(["rabies", "kills", "bats"], ["B-DIS", "O", "B-ANIM"]),
        row(["Ada", "ate", "bread"], ["B-PER", "O", "B-FOOD"]),
        row(["rabies", "kills", "bats"], ["B-DIS", "O", "B-ANIM"]),
        row(["rabies", "kills", "bats"], ["B-DIS", "O", "O"]),
        row(["in", "validation"], ["O", "O"]),
        row(["in", "test"], ["O", "B-LOC"]),
        row(["bats", "sleep"], ["B-ANIM", "O"]),
        row(["nothing"], ["O"]),
    ]
    validation, test = row(["in", "validation"], ["B-LOC", "B-FOOD"]), row(["in", "test"], ["O", "O"])
    return write_splits(tmp_path, train=train, val=[validation], test=[test])


def options(folder, **changes) -> DataArguments:
    return DataArguments(dataset=str(folder), **changes)


def findings(run) -> list[dict]:
    return [json.loads(line) for line in (run / "data" / "findings.jsonl").open()]


def test_duplicates_and_leaks_are_dropped_and_counted(small):
    prepared = training_data(options(small))
    assert prepared.train.token_lists() == [
        ["rabies", "kills", "bats"],
        ["Ada", "ate", "bread"],
        ["rabies", "kills", "bats"],  # the same tokens with other tags
        ["bats", "sleep"],
        ["nothing"],
    ]
    assert prepared.rows == {
        "read": 8, "duplicates_dropped": 1, "leaks_dropped": 2, "kept": 5, "repeated": 0,
        "training_rows": 5, "validation_rows": 1,
    }  # fmt: skip


def test_sentences_are_equal_only_if_every_token_is(tmp_path):
    """Whatever characters the tokens hold, and however many tokens are empty."""
    rows = [["a", "b"], ["a\x1fb"], ["a\x1eb"], ["a b"], ["a", "b\x1fc"], ["a\x1fb", "c"], [], [""], ["", ""]]
    for tokens in rows:
        others = [t for t in rows if t != tokens]
        for split, sentences in (("train", [*others, *rows]), ("val", [tokens])):
            lines = [{"tokens": t, "ner_tags": [0] * len(t)} for t in sentences]
            write_jsonl(tmp_path / split / f"{split}_en.jsonl", lines)
        prepared = training_data(options(tmp_path))
        assert prepared.train.token_lists() == others
        assert (prepared.rows["duplicates_dropped"], prepared.rows["leaks_dropped"]) == (len(others), 1)


@pytest.mark.parametrize("more", [{"max_train_sentences": 3}, {"upsample": True}])
def test_a_and_b_train_on_the_same_rows(small, more):
    a, b = (training_data(options(small, masked_training=masked, **more)) for masked in (False, True))
    assert a.train.token_lists() == b.train.token_lists()
    assert a.train_fingerprint == b.train_fingerprint
    assert a.validation_fingerprint == b.validation_fingerprint
    assert (len(a.train.names), len(b.train.names)) == (31, 11)
    meal = a.train.token_lists().index(["Ada", "ate", "bread"])
    assert a.train.tag_lists()[meal] == ["B-PER", "O", "B-FOOD"]
    assert b.train.tag_lists()[meal] == ["B-PER", "O", "O"]
    assert b.validation.tag_lists() == [["B-LOC", "O"]]


def test_upsampling_repeats_by_the_factor_and_not_its_square(small):
    prepared = training_data(options(small, upsample=True, upsample_factor=3))
    rows = prepared.train.token_lists()
    assert rows.count(["rabies", "kills", "bats"]) == 6  # two taggings, three times each
    assert rows.count(["bats", "sleep"]) == 3
    assert rows.count(["nothing"]) == 1
    assert prepared.rows["repeated"] == 6
    assert prepared.rows["training_rows"] == len(rows) == 11


def test_masking_that_removes_nothing_says_so(small, caplog):
    for kept in (MULTINERD_CLASSES[1:], MULTINERD_CLASSES):
        assert "masking removes nothing" not in caplog.text
        training_data(options(small, masked_training=True, selected_categories=[*kept]))
    assert "masking removes nothing: --selected_categories names all classes of the data" in caplog.text


def test_words_of_removed_classes_are_left_out_of_the_loss(small):
    """Wherever up-sampling moves their sentences."""
    masked = {"masked_training": True, "upsample": True}
    as_o, ignore = (training_data(options(small, masking=masking, **masked)) for masking in ("as_O", "ignore"))
    assert ignore.train.token_lists() == as_o.train.token_lists()
    assert ignore.train.tag_lists() == as_o.train.tag_lists() and ignore.train.names == as_o.train.names
    assert ignore.validation.tag_lists() == [["B-LOC", "O"]] and ignore.validation.unlabelled is None
    assert ignore.train.words.filter(pa.array(ignore.train.unlabelled)).to_pylist() == ["bread"]
    assert as_o.train.unlabelled is None
    assert ignore.rows == as_o.rows | {"masked_words": 1}


def test_sentences_with_a_removed_class_are_left_out(small, caplog):
    kept = ["PER", "DIS", "FOOD", "LOC"]
    dropped = training_data(options(small, masked_training=True, masking="drop_sentences", selected_categories=kept))
    assert dropped.train.token_lists() == [["Ada", "ate", "bread"], ["rabies", "kills", "bats"], ["nothing"]]
    assert dropped.train.tag_lists() == [["B-PER", "O", "B-FOOD"], ["B-DIS", "O", "O"], ["O"]]
    assert dropped.validation.tag_lists() == [["B-LOC", "B-FOOD"]] and len(dropped.train.names) == 9
    assert {k: dropped.rows[k] for k in ("kept", "left_out", "repeated", "training_rows")} == {
        "kept": 5, "left_out": 2, "repeated": 0, "training_rows": 3,
    }  # fmt: skip
    assert re.search("masking: 2 of 5 sentences contain ORG or ANIM or .*; they are left out", caplog.text)
    upsampled = training_data(
        options(small, masked_training=True, masking="drop_sentences", selected_categories=kept,
                upsample=True, upsample_categories=["DIS"])
    )  # fmt: skip
    assert (upsampled.rows["repeated"], upsampled.rows["training_rows"]) == (1, 4)


@pytest.mark.parametrize("removed", ["FOOD", "LOC", "PER DIS", "TIME PLANT EVE CEL MYTH"])
def test_a_control_loses_as_many_sentences_and_similar_entities(removed, caplog):
    """On the sample corpus: of each kept class about as many, and in all almost exactly as many."""
    whole = training_data(DataArguments(dataset="sample"))
    kept = [c for c in MULTINERD_CLASSES if c not in removed.split()]
    masked = {"dataset": "sample", "masked_training": True, "selected_categories": kept}
    dropped, control, again = (
        training_data(DataArguments(**masked, masking=m)) for m in ("drop_sentences", "drop_others", "drop_others")
    )
    assert control.train.names == whole.train.names == control.validation.names
    assert control.validation.tag_lists() == whole.validation.tag_lists()
    assert control.train.token_lists() == again.train.token_lists()
    assert control.rows == dropped.rows and dropped.rows["left_out"] > 50
    all_, left, controlled = (class_counts(data.train) for data in (whole, dropped, control))
    assert [all_[c] - controlled[c] for c in removed.split()] == [0] * len(removed.split())
    lost = {c: (all_[c] - left[c], all_[c] - controlled[c]) for c in kept}
    assert sum(b for _, b in lost.values()) == pytest.approx(sum(a for a, _ in lost.values()), rel=0.03)
    assert all(abs(a - b) <= max(2, 0.15 * a) for a, b in lost.values()), lost
    assert "similar" not in caplog.text


def test_a_control_that_cannot_be_similar_says_so(tmp_path, caplog):
    food, person = NAMES.index("B-FOOD"), NAMES.index("B-PER")
    rows = [{"tokens": [f"w{i}"], "ner_tags": [food if i < 6 else person]} for i in range(12)]
    write_splits(tmp_path, train=rows, val=[row(["in", "validation"], ["O", "O"])])
    control = {"masked_training": True, "masking": "drop_others"}
    assert training_data(options(tmp_path, **control)).train.token_lists() == [[f"w{i}"] for i in range(6)]
    assert "this control drops 6 entities of the kept classes, but drop_sentences drops 0" in caplog.text
    write_jsonl(tmp_path / "train/train_en.jsonl", rows[:11])
    with pytest.raises(
        InputError, match=r"--masking drop_others: found 5 .* expected at least .* 6; name more classes"
    ):
        training_data(options(tmp_path, **control))


def test_a_share_of_the_mentions_is_masked_and_a_larger_share_adds_others():
    """Whatever the other options; the classes stay, and nothing of validation is masked."""
    whole = training_data(DataArguments(dataset="sample"))
    tags = np.array([t for tags in whole.train.tag_lists() for t in tags])
    removed = np.array([t[2:] in ("LOC", "FOOD") for t in tags])
    kept = [c for c in MULTINERD_CLASSES if c not in ("LOC", "FOOD")]

    def masked(share: float, masking: str = "as_O", kept: list[str] = kept) -> np.ndarray:
        chosen = {"masked_training": True, "masked_share": share, "masking": masking, "selected_categories": kept}
        found = training_data(DataArguments(dataset="sample", **chosen))
        assert found.train.names == whole.train.names and found.validation.tag_lists() == whole.validation.tag_lists()
        own = np.array([t for tags in found.train.tag_lists() for t in tags])
        changed = own != tags
        assert set(own[changed]) <= {"O"} and not (changed & ~removed).any()
        inside = np.flatnonzero(np.char.startswith(tags, "I-") & removed)
        assert (changed[inside] == changed[inside - 1]).all()  # whole mentions
        assert found.rows["masked_words"] == changed.sum()
        assert np.array_equal(found.train.unlabelled, changed if masking == "ignore" else None)
        return changed

    shares = [masked(share) for share in (0, 0.25, 0.5, 0.75)]
    begins = np.char.startswith(tags, "B-") & removed
    assert [each[begins].mean() for each in shares] == pytest.approx([0, 0.25, 0.5, 0.75], abs=0.05)
    assert not any((smaller & ~larger).any() for smaller, larger in itertools.pairwise(shares))
    assert (masked(0.5, "ignore") == shares[2]).all()
    alone = masked(0.5, kept=[*kept, "FOOD"])
    assert (alone == shares[2] & np.isin(tags, ["B-LOC", "I-LOC"])).all()


def test_as_many_other_sentences_are_repeated_as_a_control(tmp_path, caplog):
    rows = [{"tokens": [f"w{i}"], "ner_tags": [13 if i < 6 else 1 if i < 12 else 0]} for i in range(20)]
    write_splits(tmp_path, train=rows, val=rows[:1])
    rare = {f"w{i}" for i in range(1, 6)}  # w0 is also in validation
    drawn = []
    for masked in (False, True):
        prepared = training_data(options(tmp_path, upsample=True, upsample_at_random=True, masked_training=masked))
        counts = Counter(word for (word,) in prepared.train.token_lists())
        drawn.append({word for word, n in counts.items() if n == 2})
        assert len(drawn[-1]) == 5 == prepared.rows["repeated"] and not drawn[-1] & rare
    assert drawn[0] == drawn[1] and drawn[0] != {f"w{i}" for i in range(6, 11)}
    assert "5 sentences contain DIS or ANIM; as many others are used 2 times" in caplog.text
    write_jsonl(tmp_path / "train/train_en.jsonl", rows[1:10])
    with pytest.raises(InputError, match=r"--upsample_at_random: found 5 sentences that contain .*, and 4 others"):
        training_data(options(tmp_path, upsample=True, upsample_at_random=True))


def test_the_cap_takes_the_first_rows_of_each_language(tmp_path, caplog):
    for lang, size in (("de", 10), ("en", 3)):
        rows = [{"tokens": [f"{lang}{i}"], "ner_tags": [0]} for i in range(size)]
        write_splits(tmp_path, lang, train=rows, val=[{"tokens": [lang], "ner_tags": [0]}])
    prepared = training_data(options(tmp_path, languages=["en", "de"], max_train_sentences=8))
    assert [t[0] for t in prepared.train.token_lists()] == ["en0", "en1", "en2", "de0", "de1", "de2", "de3", "de4"]
    assert "capped: kept 8 of 13 sentences" in caplog.text


def test_classes_are_checked_against_the_data(small):
    with pytest.raises(InputError, match=r"--selected_categories: found 'pers'; .* by spaces: .* did you mean 'PER'"):
        training_data(options(small, masked_training=True, selected_categories=["pers"]))
    with pytest.raises(InputError, match=r"--upsample_categories: found 'XYZ'"):
        training_data(options(small, upsample=True, upsample_categories=["XYZ"]))
    (small / "drugs.conll").write_text("aspirin B-DRUG\n\n" * 20)
    with pytest.raises(InputError, match=r"--selected_categories: its default has 'PER'; expected .* spaces: DRUG$"):
        training_data(options(small / "drugs.conll", masked_training=True))


def test_no_training_sentence_left_is_an_error(small):
    write_jsonl(small / "train/train_en.jsonl", [row(["in", "test"], ["O", "O"])])
    with pytest.raises(InputError, match="no training sentence is left of 1"):
        training_data(options(small))


def test_a_test_split_is_optional_in_each_language_but_validation_is_not(small, caplog):
    for split in ("train", "val"):
        write_jsonl(small / split / f"{split}_de.jsonl", [row([f"deutsch {split}"], ["O"])])
    assert training_data(options(small, languages=["en", "de"])).rows["leaks_dropped"] == 2
    assert "test: no file for de, so training sentences are not compared with this split" in caplog.text
    (small / "test/test_en.jsonl").unlink()
    assert training_data(options(small)).rows["leaks_dropped"] == 1
    (small / "val/val_de.jsonl").unlink()
    with pytest.raises(InputError, match=r"found no file for the validation split in the language de, but val_en"):
        training_data(options(small, languages=["en", "de"]))


def test_validation_may_number_what_training_names(tmp_path):
    write_jsonl(tmp_path / "train/train_en.jsonl", [{"tokens": ["a", "b"], "tags": ["B-LOC", "B-PER"]}])
    write_jsonl(tmp_path / "val/val_en.jsonl", [row(["c", "d"], ["B-PER", "O"])])
    prepared = training_data(options(tmp_path))
    assert prepared.validation.names == prepared.train.names == ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    assert prepared.validation.tag_lists() == [["B-PER", "O"]]
    write_jsonl(tmp_path / "val/val_en.jsonl", [row(["c", "d"], ["B-DIS", "O"])])
    with pytest.raises(InputError, match=r"val_en.jsonl:1: unknown tag 'B-DIS'; expected O, .* with PER, LOC"):
        training_data(options(tmp_path))


def test_a_run_is_scored_in_the_scheme_of_its_own_data():
    own = {"dataset": "sample", "languages": ["en"], "tag_scheme": "iobes"}
    for more, scheme in (((), "iobes"), (("--dataset", "other"), "auto"), (("--tag_scheme", "io"), "io")):
        assert inference.data_options(parse(list(more), "test"), own)[0].tag_scheme == scheme
    with pytest.raises(InputError, match="--tag_scheme: found 'BIO'; expected auto, bio, "):
        inference.data_options(parse([], "test"), own | {"tag_scheme": "BIO"})


def test_validation_without_an_entity_is_refused(small, tmp_path):
    """Masking leaves no entity in it: its only one is LOC."""
    write_jsonl(small / "val/val_en.jsonl", [row(["in", "validation"], ["B-LOC", "O"])])
    argv = ["--dataset", str(small), "--output_dir", str(tmp_path / "run"), "--masked_training", "true",
            "--selected_categories", "DIS", "ANIM"]  # fmt: skip
    with pytest.raises(InputError, match="found no entity in the 1 validation sentences that are used"):
        train.main(argv)
    assert not (tmp_path / "run").exists()


def test_a_copy_of_multinerd_of_another_size_is_warned_of(small, monkeypatch, caplog):
    monkeypatch.setattr(readers, "read_whole", lambda source, split: read_whole(Source(str(small)), split))
    training_data(DataArguments())
    assert "train: read 8 sentences; MultiNERD's English has 131280" in caplog.text
    caplog.clear()
    training_data(DataArguments(languages=["en", "de"]))
    assert "train: read 8 sentences; MultiNERD's English has 131280" in caplog.text


def test_the_audit_and_the_plots_count(small, tmp_path, capsys, monkeypatch):
    drawn = {}
    monkeypatch.setattr("ner.report.pictures.draw", lambda bars, title, path: drawn.update({path.name: bars.args[0]}))
    monkeypatch.chdir(tmp_path)
    data.main(["--dataset", str(small), "--output_dir", str(tmp_path / "run")])
    printed = " ".join(capsys.readouterr().out.split())
    for line in (
        "sentences 8 1 1", "tokens 19 2 2", "ANIM 3 0 0", "DIS 3 0 0", "LOC 1 1 0", "sentences without entities 2 0 1",
        "repeated: same tokens and tags 1 0 0", "conflicting: same tokens, different tags 1 0 0",
        "leaks: sentences in train and in validation: 1", "leaks: sentences in train and in test: 1",
        "leaks: sentences in validation and in test: 0",
    ):  # fmt: skip
        assert line in printed
    assert printed.endswith("Wilson's 95 % interval, in points")  # its test split has no entity
    assert drawn["masked-dataset.png"]["train"] == {"PER": 1, "ORG": 0, "LOC": 1, "ANIM": 3, "DIS": 3}
    assert drawn["default-dataset.png"]["train"]["FOOD"] == 1
    # As train.py takes it: nothing is masked, so DIS and ANIM can be up-sampled.
    data.main(["--dataset", str(small), "--selected_categories", "PER", "--upsample", "true"])
    assert drawn["masked-dataset.png"]["train"] == {"PER": 1}


def test_the_audit_has_quantiles_of_the_lengths(tmp_path, capsys):
    rows = [row([f"w{i}"] * length, ["B-DIS"] * length) for i, length in enumerate(range(1, 102))]
    write_splits(tmp_path, train=rows, val=[row(["rabies", "kills"], ["B-DIS", "O"])])
    data.main(["--dataset", str(tmp_path), "--output_dir", str(tmp_path / "run")])
    quantiles = re.findall(r"^  (\d+) % +(\d+) +(\d+)$", capsys.readouterr().out, re.MULTILINE)
    assert quantiles == [(str(q), str(q + 1), "2") for q in (0, 25, 50, 75, 95, 99, 100)]


def test_an_audit_of_other_classes_has_no_picture_of_the_default_ones_and_refuses_an_unknown_one(tmp_path, fails):
    (tmp_path / "train.conll").write_text("aspirin B-DRUG\n\n" * 20)
    where = ["--dataset", str(tmp_path / "train.conll"), "--output_dir", str(tmp_path)]
    data.main(where)
    written = {path.name for path in (tmp_path / "data").iterdir()}
    assert written == {"findings.jsonl", "default-dataset.png", "default-dataset-dark.png"}
    message = fails(data.main, *where, "--selected_categories", "DRAG")
    assert "--selected_categories: found 'DRAG'; expected classes of the data" in message and "'DRUG'" in message


def test_an_audit_of_the_sample_writes_to_a_folder_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data.main(["--dataset", "sample"])
    assert {path.name for path in (tmp_path / "runs" / "data" / "sample").iterdir()} == {
        "findings.jsonl", "default-dataset.png", "default-dataset-dark.png", "masked-dataset.png",
        "masked-dataset-dark.png",
    }  # fmt: skip
    interval = stats.binomtest(24, 30).proportion_ci(method="wilson")  # the sample's test split has 30 diseases
    assert f"\n  DIS {50 * (interval.high - interval.low):>48.1f}\n" in capsys.readouterr().out


def test_a_closed_pipe_does_not_cost_the_audits_files(small, tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.print", Mock(side_effect=BrokenPipeError))
    with pytest.raises(BrokenPipeError):
        data.main(["--dataset", str(small), "--output_dir", str(tmp_path)])
    assert {p.name for p in (tmp_path / "data").iterdir()} >= {"findings.jsonl", "masked-dataset.png"}


def test_the_audit_names_rows_with_faults(tmp_path, capsys):
    rows = [
        row(["(", "Acme", ")", "and", "Acme", ")"], ["B-ORG", "I-ORG", "I-ORG", "O", "B-ORG", "I-ORG"]),
        row(["Jaguar", "sold"], ["B-ORG", "O"]),
        row(["Jaguar", "ran"], ["B-ANIM", "O"]),
        row(["Jaguar", "paid"], ["B-ORG", "O"]),
    ]
    write_splits(tmp_path, train=rows * 2, val=rows[:1])
    data.main(["--dataset", str(tmp_path), "--output_dir", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    assert "e.g. train row 2 (en): ANIM Jaguar" in printed
    of_train = [(f["fault"][:10], f["row"], f["shown"]) for f in findings(tmp_path / "run") if f["split"] == "train"]
    acme = "( Acme ) and Acme )"
    assert of_train == [
        *(("repeated: ", row, f"as row {row - 4}: {' '.join(rows[row - 4]['tokens'])}") for row in range(4, 8)),
        *(("leaks: sen", row, f"tokens of validation row 0: {acme}") for row in (0, 4)),
        *(("unbalanced", row, "ORG Acme )") for row in (0, 4)),
        *(("same text,", row, "ANIM Jaguar (ORG 4, ANIM 2)") for row in (2, 6)),
    ]


def test_several_languages_are_audited_each_by_itself(tmp_path, capsys):
    rows = {
        "en": [row(["Jaguar", "ran"], ["B-ANIM", "O"]), row(["Jaguar", "sat"], ["B-ANIM", "O"])],
        "it": [row(["Jaguar", "vende"], ["B-ORG", "O"], "it"), row(["Jaguar", "vende"], ["B-ORG", "O"], "it")],
    }
    for lang, of_language in rows.items():
        write_splits(tmp_path, lang, train=of_language, val=of_language[:1])
    data.main(["--dataset", str(tmp_path), "--languages", "en", "it", "--output_dir", str(tmp_path / "run")])
    whole, english, italian = re.split("=== (?:en|it) ===", capsys.readouterr().out)
    for part, animals, organisations in ((whole, 2, 2), (english, 2, 0), (italian, 0, 2)):
        lines = [line.split() for line in part.splitlines()]
        assert ["ANIM", str(animals), str(animals // 2)] in lines
        assert ["ORG", str(organisations), str(organisations // 2)] in lines
    found = [(f["fault"][:8], f["split"], f["lang"], f["row"]) for f in findings(tmp_path / "run")]
    assert found == [
        ("leaks: s", "train", "en", 0), ("repeated", "train", "it", 1), ("leaks: s", "train", "it", 0),
        ("leaks: s", "train", "it", 1),
    ]  # fmt: skip


def test_the_audit_names_conflicting_sentences_and_wrong_transitions(tmp_path, capsys):
    """Row 2 repeats row 0, and row 3 the tags of row 1: each conflicting sentence is shown where it first occurs."""
    tags = (["B-LOC", "O"], ["O", "I-PER"], ["B-LOC", "O"], ["O", "I-PER"], ["B-ORG", "I-LOC"])
    write_splits(tmp_path, train=[row(["Paris", "sat"], each) for each in tags], val=[row(["Rome"], ["I-LOC"])])
    data.main(["--dataset", str(tmp_path), "--output_dir", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    assert re.findall(r"illegal transitions to I- +(\d+) +(\d+)\n +e.g. train row 1 \(en\): I-PER sat\n", printed) == [
        ("3", "1")
    ]
    found = [(f["fault"][:11], f["split"], f["row"], f["shown"]) for f in findings(tmp_path / "run")]
    assert [f for f in found if not f[0].startswith("same text")] == [
        *(("repeated: s", "train", i, f"as row {i - 2}: Paris sat") for i in (2, 3)),
        *(("conflicting", "train", i, "tokens of row 0: Paris sat") for i in (1, 4)),
        ("illegal tra", "train", 1, "I-PER sat"),
        ("illegal tra", "train", 3, "I-PER sat"),
        ("illegal tra", "train", 4, "I-LOC sat"),
        ("illegal tra", "validation", 0, "I-LOC Rome"),
    ]


def test_brackets_and_quotes_are_balanced():
    for surface in ("( a )", '" a "', "`` a ''", "„a”", "»a«"):
        assert not unbalanced(surface), surface
    for surface in ("( a", "a )", "( a ]", 'a "', "„a"):
        assert unbalanced(surface), surface


def test_a_sentence_of_two_languages_is_repeated_in_the_whole(tmp_path, capsys):
    for lang in ("de", "en"):
        write_splits(tmp_path, lang, train=[row(["Paris"], ["I-LOC"], lang)], val=[row([lang], ["O"], lang)])
    data.main(["--dataset", str(tmp_path), "--languages", "de", "en", "--output_dir", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    assert re.findall(r"repeated: same tokens and tags +(\d+)", printed) == ["1", "0", "0"]
    assert re.findall(r"illegal transitions to I- +(\d+)", printed) == ["2", "1", "1"]


def test_a_control_leaves_out_sentences_of_all_parts_of_the_corpus(tmp_path):
    food = NAMES.index("B-FOOD")
    rows = [{"tokens": [f"w{i}"], "ner_tags": [food if i < 40 else 0]} for i in range(240)]
    write_splits(tmp_path, train=rows, val=[row(["in", "validation"], ["O", "O"])])
    kept = training_data(options(tmp_path, masked_training=True, masking="drop_others",
                                 selected_categories=[c for c in MULTINERD_CLASSES if c != "FOOD"])).train  # fmt: skip
    left_out = set(range(240)) - {int(word[1:]) for (word,) in kept.token_lists()}
    assert len(left_out) == 40 and 120 < np.mean(list(left_out)) < 160  # 219.5 if they were the last ones
