"""Each tag scheme is recognised and becomes BIO. The oracle is seqeval's strict reading of each scheme."""

import random
from itertools import groupby

import numpy as np
import pyarrow as pa
import pytest
import seqeval.scheme
from conftest import read, write_jsonl

from arguments import DataArguments
from data import training_data
from ner.corpus.schemes import misfits
from ner.corpus.sentences import Sentences
from ner.errors import InputError
from ner.labels import wrong_transitions

CLASSES = ("PER", "LOC", "work-of-art", "event_name")
STRICT = {"bio": "IOB2", "iob1": "IOB1", "iobes": "IOBES", "bilou": "BILOU"}  # their names in seqeval


def random_bio(seed: int, with_borders: bool = True) -> list[list[str]]:
    """Tags of sentences in which entities often touch, those of one class only if borders between them can be shown."""
    rng, sentences = random.Random(seed), []
    for _ in range(60):
        tags, before = [], ""
        for _ in range(rng.randint(0, 6)):
            class_ = rng.choice(("", *CLASSES))
            if class_ and (with_borders or class_ != before):
                tags += [f"B-{class_}", *[f"I-{class_}"] * rng.choice((0, 0, 1, 3))]
            elif not class_:
                tags.append("O")
            before = class_
        sentences.append(tags)
    return sentences


def written_as(scheme: str, tags: list[str]) -> list[str]:
    """The BIO tags of a sentence in another scheme, entity by entity."""
    result: list[str] = []
    starts = [i for i, tag in enumerate(tags) if tag[0] != "I"]
    for start, end in zip(starts, [*starts[1:], len(tags)], strict=False):
        class_, size = tags[start][2:], end - start
        if not class_:
            result += ["O"] * size
        elif scheme == "bare":
            result += [class_] * size
        elif scheme in ("io", "iob1"):
            touches = scheme == "iob1" and result and result[-1][2:] == class_
            result += [f"{'B' if touches else 'I'}-{class_}", *[f"I-{class_}"] * (size - 1)]
        elif scheme in ("iobes", "bilou"):
            last, single = ("E", "S") if scheme == "iobes" else ("L", "U")
            whole = [f"B-{class_}", *[f"I-{class_}"] * (size - 2), f"{last}-{class_}"]
            result += [f"{single}-{class_}"] if size == 1 else whole
        else:
            result += tags[start:end]
    return result


def folder_of(path, **splits: list[list[str]]) -> str:
    for split, sentences in splits.items():
        rows = [{"tokens": [f"{split}{i}.{n}" for n in range(len(t))], "tags": t} for i, t in enumerate(sentences)]
        write_jsonl(path / f"{split}/{split}_en.jsonl", rows)
    return str(path)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scheme", ["bio", "iob1", "iobes", "bilou", "io", "bare"])
def test_a_scheme_and_back_is_the_identity(tmp_path, scheme, seed):
    bio = random_bio(seed, with_borders=scheme not in ("io", "bare"))
    sentences = [written_as(scheme, tags) for tags in bio]
    result = read(folder_of(tmp_path, train=sentences), ["en"], "train")
    assert result.tag_lists() == bio
    assert result.names == ["O", *(f"{p}-{c}" for c in ("PER", "LOC", "event_name", "work-of-art") for p in "BI")]
    if scheme in STRICT:
        strict = getattr(seqeval.scheme, STRICT[scheme])
        expected = seqeval.scheme.Entities(sentences, strict).entities
        assert seqeval.scheme.Entities(result.tag_lists(), seqeval.scheme.IOB2).entities == expected
        assert any(expected)


def test_tags_that_do_not_fit_their_neighbours_are_found():
    rng = np.random.default_rng(0)
    names = ["O", *(f"{prefix}-{c}" for prefix in "BIES" for c in ("PER", "LOC"))]
    lengths = rng.integers(0, 6, 300)
    tags = rng.integers(0, len(names), lengths.sum())
    sentences = Sentences(pa.array(["x"] * len(tags)), tags, lengths, ["en"] * 300, names)
    wrong: dict[str, list[bool]] = {"bio": [], "iob1": [], "iobes": []}
    for own in sentences.tag_lists():
        before, after = ["O", *own][:-1], [*own, "O"][1:]
        for left, tag, right in zip(before, own, after, strict=True):
            same = left[1:] == tag[1:]
            joins, goes_on = tag[0] in "IE" and left[0] in "BI", tag[0] in "BI" and right[0] in "IE"
            lonely = tag[0] in "IE" and not (joins and same)
            wrong["iobes"].append(lonely or (tag[0] in "BI" and not (goes_on and tag[1:] == right[1:])))
            wrong["bio"].append(tag[0] in "ES" or (tag[0] == "I" and not same))
            wrong["iob1"].append(tag[0] in "ES" or (tag[0] == "B" and not same))
    for scheme, expected in wrong.items():
        assert misfits(sentences, scheme).tolist() == expected and not all(expected)


def test_a_class_may_end_as_a_prefix_would(tmp_path):
    result = read(folder_of(tmp_path, train=[["GROUP_A", "O", "GROUP_B", "Hepatitis-B"]]), ["en"], "train")
    assert result.tag_lists() == [["B-GROUP_A", "O", "B-GROUP_B", "B-Hepatitis-B"]]


def test_m_is_the_middle_of_an_entity_in_bmes(tmp_path):
    result = read(folder_of(tmp_path, train=[["B-PER", "M-PER", "E-PER", "S-PER", "O"]]), ["en"], "train")
    assert result.tag_lists() == [["B-PER", "I-PER", "I-PER", "B-PER", "O"]]


def test_neighbours_of_one_class_are_one_entity_where_nothing_shows_the_border(tmp_path, caplog):
    for scheme, said in (("io", "IOB1"), ("bare", "IO")):
        bio = random_bio(0)
        result = read(folder_of(tmp_path, train=[written_as(scheme, tags) for tags in bio]), ["en"], "train")
        for tags, merged in zip(bio, result.tag_lists(), strict=True):
            runs = [(class_, len(list(run))) for class_, run in groupby(tag[2:] for tag in tags)]
            assert merged == [
                f"{'I' if i else 'B'}-{class_}" if class_ else "O" for class_, size in runs for i in range(size)
            ]
        assert f"; {said}, rewritten to BIO; " in caplog.text


def test_all_splits_together_show_the_scheme_and_the_log_names_it(tmp_path, caplog):
    """Neither the two validation tags nor the two of test are IOB1 if they are seen alone."""
    train, other = [["I-PER", "B-PER", "I-PER", "O", "I-LOC"]] * 3, [["B-PER", "O"], ["O", "I-LOC"]]
    for i, tags in enumerate(train[:2]):
        train[i] = [*tags, *["O"] * (i + 1)]
    dataset = folder_of(tmp_path, train=train, val=other, test=other)
    prepared = training_data(DataArguments(dataset=dataset))
    assert prepared.tag_scheme == "iob1"
    assert prepared.train.tag_lists()[2] == ["B-PER", "B-PER", "I-PER", "O", "B-LOC"]
    assert prepared.validation.tag_lists() == [["B-PER", "O"], ["O", "B-LOC"]]
    for said in (
        f"tag scheme: 2 tags do not fit IOB1, the first in {dataset}/val/val_en.jsonl:1; if another scheme",
        "train_en.jsonl, JSON with tokens and tags; IOB1, rewritten to BIO; 3 sentences, 18 tokens",
        "val_en.jsonl, JSON with tokens and tags; IOB1, rewritten to BIO; 2 sentences, 4 tokens",
    ):
        assert said in caplog.text


def test_bio_with_a_few_faults_stays_as_it_is(tmp_path, caplog):
    faulty = [["O", "I-PER", "I-PER"], ["B-LOC", "I-PER"], *[["B-PER", "O", "B-LOC"]] * 5]
    result = read(folder_of(tmp_path, train=faulty), ["en"], "train")
    assert result.tag_lists() == faulty
    assert wrong_transitions(result.tags, result.lengths).sum() == 2
    assert "tag scheme: 2 tags do not fit BIO, the first in " in caplog.text
    assert "train_en.jsonl:1; if another scheme is meant, name it with --tag_scheme" in caplog.text


def test_the_option_decides_where_the_tags_do_not(tmp_path):
    dataset = folder_of(tmp_path, train=[["I-PER", "O", "B-PER"]], val=[["O"]])  # as many for BIO as for IOB1
    for scheme, tags in (("auto", "IOB"), ("bio", "IOB"), ("iob1", "BOB")):
        prepared = training_data(DataArguments(dataset=dataset, tag_scheme=scheme))
        assert prepared.train.tag_lists() == [[t if t == "O" else f"{t}-PER" for t in tags]]
    with pytest.raises(InputError, match=r"train_en.jsonl:1: unknown tag 'B-PER'; expected O, or some CLASS; .*--tag_"):
        training_data(DataArguments(dataset=dataset, tag_scheme="io"))


@pytest.mark.parametrize(
    ("tags", "wrong", "expected"),
    [
        (["O", "B-PER", "PER"], "PER", "B- or I-"),  # a class without prefix among others
        (["O", "art-film", "B-"], "B-", ""),
        (["O", "art-film", "X-PER"], "X-PER", ""),  # of no known scheme
        (["O", "b-per"], "b-per", "B- or I-"),
        (["O", "B_PER"], "B_PER", "B- or I-"),
        (["NN", "VB"], "NN", "B- or I-"),  # without O, they are no entities
        (["O", "PER-B", "PER-I"], "PER-B", "B- or I-"),
        (["B-PER", "O", "B-PER", "O", "B-PER", "E-PER"], "E-PER", "B- or I-"),  # one slip makes no IOBES
        (["S-PER", "O", "S-PER", "U-PER"], "U-PER", "B- or I- or E- or S-"),
    ],
)
def test_a_tag_of_no_scheme_is_named_with_its_line(tmp_path, tags, wrong, expected):
    path = tmp_path / "train_en.tsv"
    path.write_text("".join(f"w\t{tag}\n" for tag in tags))
    line, what = tags.index(wrong) + 1, f"{expected} with " if expected else ""
    with pytest.raises(
        InputError, match=rf"train_en.tsv:{line}: unknown tag '{wrong}'; expected O, or {what}some CLASS"
    ):
        read(str(tmp_path), ["en"], "train")
