"""What annotation tools and spaCy export: the same corpus in each of their forms, and spans that do not fit words."""

import json
import random
import sys

import pytest

from ner.corpus.annotation_tools import annotation_tool, json_lines
from ner.corpus.docbin import docbin_table
from ner.corpus.readers import read_file
from ner.corpus.sources import Source
from ner.corpus.text_spans import bio_tags, from_utf16
from ner.errors import InputError
from ner.word_splitter import word_offsets

# Texts with their entities, each as the text before it, its own text and its class; and the expected words and tags.
CORPUS = [
    (
        "Rabies kills  bats,\nin New York.",
        [("", "Rabies", "DIS"), ("Rabies kills  ", "bats", "ANIM"), ("Rabies kills  bats,\nin ", "New York", "a-City")],
        "Rabies kills bats , in New York .",
        "B-DIS O B-ANIM O O B-a-City I-a-City O",
    ),
    ("Nothing here.", [], "Nothing here .", "O O O"),
    ("😀 Oslo 🦇", [("😀 ", "Oslo", "LOC"), ("😀 Oslo ", "🦇", "ANIM")], "😀 Oslo 🦇", "O B-LOC B-ANIM"),
    ("", [], "", ""),
    ("Paris Oslo", [("", "Paris", "LOC"), ("Paris ", "Oslo", "LOC")], "Paris Oslo", "B-LOC B-LOC"),
]
EXPECTED = [(words.split(), tags.split()) for _, _, words, tags in CORPUS if words]


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def texts_and_spans(length=len) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """The corpus with offsets in characters, or in whatever `length` counts."""
    return [
        (text, [(length(before), length(before + entity), name) for before, entity, name in entities])
        for text, entities, *_ in CORPUS
    ]


def doccano(length=units) -> str:
    rows = [
        {"id": i, "text": text, "label": [list(span) for span in spans], "Comments": []}
        for i, (text, spans) in enumerate(texts_and_spans(length), 7)
    ]
    return "\n".join(map(json.dumps, rows))


def doccano_with_relations(length=units) -> str:
    rows = [
        {
            "id": i, "data" if i % 2 else "text": text, "relations": [],
            "entities": [{"id": 3, "label": name, "start_offset": a, "end_offset": b} for a, b, name in spans],
        }
        for i, (text, spans) in enumerate(texts_and_spans(length))
    ]  # fmt: skip
    return "\ufeff" + "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\r\n"


def prodigy() -> str:
    rows = [
        {
            "text": text, "_input_hash": 1, "_task_hash": 2, "_view_id": "ner_manual", "answer": "accept",
            "tokens": [{"text": "x", "start": 0, "end": 1, "id": 0, "ws": True}],
            **({"spans": [{"start": a, "end": b, "token_start": 0, "token_end": 0, "label": n} for a, b, n in spans]} if
               spans else {}),
        }
        for text, spans in texts_and_spans()
    ]  # fmt: skip
    rejected = {"text": "no", "spans": [{"start": 0, "end": 1, "label": "X"}], "_view_id": "ner_manual"}
    rows += [rejected | {"answer": "reject"}, rejected | {"answer": "ignore"}, rejected | {"_view_id": "ner"}]
    return "\n\n".join(map(json.dumps, rows))


def label_studio(field="text") -> str:
    tasks = []
    for text, spans in texts_and_spans():
        regions = [
            {"id": "r", "from_name": "label", "to_name": "text", "type": "labels", "origin": "manual",
             "value": {"start": a, "end": b, "text": text[a:b], "labels": [name]}}
            for a, b, name in spans
        ]  # fmt: skip
        regions += [{"from_id": "r", "to_id": "r", "type": "relation"}, {"id": "c", "type": "choices", "value": {}}]
        done = {"id": 1, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "result": regions}
        others = [done | {"was_cancelled": True, "result": []}, done | {"result": []}, done | {"ground_truth": True}]
        tasks.append(
            {"id": 5, "data": {field: text, "n": 3}, "predictions": [{}], "annotations": others if spans else [done]}
        )
    tasks.append({"id": 6, "data": {field: "skipped"}, "annotations": [{"was_cancelled": True, "result": []}]})
    return json.dumps(tasks, indent=1, ensure_ascii=False)


def read(tmp_path, content: str, misaligned: str = "error") -> list[tuple[list[str], list[str]]]:
    """The words and tags of the sentences of an export."""
    path = tmp_path / "train.jsonl"
    path.write_text(content, encoding="utf-8", newline="")
    rows = read_file(path, Source("", misaligned=misaligned))[1].to_pylist()
    return [(row["tokens"], row["tags"]) for row in rows]


EXPORTS = {
    "doccano": doccano, "doccano with relations": doccano_with_relations, "Prodigy": prodigy,
    "Label Studio": label_studio, "Label Studio, another field": lambda: label_studio("body"),
}  # fmt: skip


@pytest.mark.parametrize("export", EXPORTS)
def test_the_same_corpus_from_every_tool(tmp_path, export, caplog):
    assert read(tmp_path, EXPORTS[export]()) == EXPECTED
    form = read_file(tmp_path / "train.jsonl", Source(""))[0]
    assert export.startswith(form.removeprefix("texts with spans from "))
    assert ("because their answer is not accept: 2" in caplog.text) == (export == "Prodigy")
    assert ("because they answer about one span only: 1" in caplog.text) == (export == "Prodigy")
    assert ("because no annotation was submitted: 1" in caplog.text) == export.startswith("Label")
    assert ("the ground truth is read, else the first: 3" in caplog.text) == export.startswith("Label")


def test_after_an_emoji_offsets_are_read_as_the_tool_counts(tmp_path):
    text, span = "😀北京", {"start": 2, "end": 3, "label": "A"}  # each character is a word
    assert read(tmp_path, json.dumps({"text": text, "label": [span]}))[0][1] == ["O", "B-A", "O"]
    assert read(tmp_path, json.dumps({"text": text, "spans": [span]}))[0][1] == ["O", "O", "B-A"]
    span["labels"] = [span.pop("label")]  # as in Label Studio's JSON_MIN
    assert read(tmp_path, json.dumps({"text": text, "label": [span]}))[0][1] == ["O", "O", "B-A"]


def test_lines_classes_and_languages(tmp_path):
    lines = [
        "", {"text": "a", "label": [[0, 1, " new  class\n"]]}, {"text": "\x85", "label": []},
        {"text": "b", "label": [[0, 1, "A"], [0, 1, "A"]], "lang": "sv"},
    ]  # fmt: skip
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(line and json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    assert read_file(path, Source(""))[1].to_pydict() == {
        "line": [[2], [4]], "tokens": [["a"], ["b"]], "tags": [["B-new class"], ["B-A"]], "lang": [None, "sv"],
        "document": [None, None],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "tool"),
    [
        ('{"tokens": ["a"], "tags": ["O"], "text": "a", "labels": ["O"]}', None),
        ('{"text": "a", "label": "spam"}', None),
        ("[]", None),
        ('\ufeff[\n{"text": "a", "label": []}\n]', "doccano"),
        ('{"text": "a", "answer": "accept", "meta": {"label": []}}\n{', "Prodigy"),
    ],
)
def test_the_first_record_shows_the_tool(tmp_path, content, tool):
    path = tmp_path / "train.json"
    path.write_text(content, encoding="utf-8")
    assert annotation_tool(path, json_lines(path)) == tool


@pytest.mark.parametrize(
    ("span", "problem"),
    [
        ([4, 9, "LOC"], "'ly Ne' (4 to 9, LOC) cuts a word of 'Lovely New-York'"),
        ([6, 7, "LOC"], "' ' (6 to 7, LOC) has no text"),
        ([7, 99, "LOC"], "'' (7 to -1, LOC) has no text"),
        ([-1, 6, "LOC"], "'' (-1 to 6, LOC) has no text"),
        ([0, 6, " "], "'Lovely' (0 to 6, ) has no class"),
        ([20, 27, "ANIM"], "'bats in' (20 to 27, ANIM) overlaps another span"),
    ],
)
def test_spans_that_do_not_fit_are_refused_or_left_out(tmp_path, span, problem, caplog):
    """Beside one that does, which is kept: it is the longer one."""
    content = "\n" + json.dumps({"text": "Lovely New-York big bats in it", "label": [[15, 25, "A"], span]})
    message = f"1 of 2 spans do not fit words: {tmp_path / 'train.jsonl'}:2: {problem}"
    with pytest.raises(InputError) as error:
        read(tmp_path, content)
    assert str(error.value) == f"{message}; correct them, or pass --misaligned skip to leave them out"
    assert read(tmp_path, content, "skip")[0][1] == ["O", "O", "B-A", "I-A", "O", "O"]
    assert f"left out: {message}" in caplog.text


def test_many_spans_that_do_not_fit_are_counted(tmp_path):
    content = "\n".join(json.dumps({"text": "bats", "label": [[0, 4, "A"], [0, 1, "A"]]}) for _ in range(9))
    with pytest.raises(InputError, match=r"^9 of 18 spans .*jsonl:5: 'b' \(0 to 1, A\) cuts a word .*; and 4 more; "):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "a", "label": [[0, "1", "A"]]}, "found [0, '1', 'A'], which is no span"),
        ({"text": "a", "label": [[0, 1, None]]}, "'NoneType' object has no attribute 'split'"),
        ({"text": "\ud83d", "label": []}, "surrogates not allowed"),
        ({"text": "a", "label": [[0, 1, "\ud83d"]]}, "surrogates not allowed"),
        ({"text": "a", "label": [], "lang": 3}, "Expected bytes, got a 'int' object"),
        ({"text": None, "label": []}, "expected string or bytes-like object, got 'NoneType'"),
        ({"text": "a"}, "'label'; expected a text"),
    ],
)
def test_a_wrong_record_is_named(tmp_path, record, message):
    good = json.dumps({"text": "a", "label": []})
    with pytest.raises(InputError) as error:
        read(tmp_path, f"{good}\n\n{json.dumps(record)}\n")
    assert "train.jsonl:3: not a record of doccano: " in str(error.value) and message in str(error.value)


def label_studio_task(data: dict[str, str], *regions: tuple[str, float, float]) -> str:
    """An export of one task, whose regions have the name of their text, a start and an end."""
    result = [
        {"type": "labels", "to_name": name, "value": {"start": start, "end": end, "labels": ["A"]}}
        for name, start, end in regions
    ]
    return json.dumps([{"data": data, "annotations": [{"result": result}]}])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (label_studio_task({"text": "a"}, ("text", 0.5, 1.5)), "which is no span"),
        (label_studio_task({"title": "a", "body": "b"}), "found the fields title, body; "),
        (label_studio_task({"title": "a", "text": "b"}, ("title", 0, 1), ("text", 0, 1)), "labels of several texts"),
    ],
)
def test_label_studio_without_one_plain_text(tmp_path, task, message):
    with pytest.raises(InputError, match=f"train.jsonl:1: not a record of Label Studio: .*{message}"):
        read(tmp_path, task)


def test_label_studio_reads_the_text_beside_other_fields(tmp_path):
    task = label_studio_task({"title": "x y", "text": "a b"}, ("text", 2, 3))
    assert read(tmp_path, task) == [(["a", "b"], ["O", "B-A"])]


def random_text(rng: random.Random) -> str:
    return "".join(rng.choices("aBé09 .,'-\n 北😀\u00ad", k=rng.randint(0, 25)))


def test_tags_are_the_entities_of_spans():
    """A span fits if and only if it begins and ends with words, apart from white space, and no other one is there."""
    rng = random.Random(0)
    fitted = 0
    for _ in range(3_000):
        text = random_text(rng)
        words = word_offsets(text)
        spans = [(*sorted(rng.choices(range(len(text) + 1), k=2)), rng.choice("AB")) for _ in range(3)]
        spans = sorted(dict.fromkeys(spans), key=lambda span: span[0] - span[1])
        tags, misfits = bio_tags(text, words, spans)
        taken: set[int] = set()
        expected = ["O"] * len(words)
        for start, end, name in spans:
            inside = [i for i, (a, b) in enumerate(words) if start <= a and b <= end]
            whole = "".join(text[start:end].split()) == "".join("".join(text[slice(*words[i])] for i in inside).split())
            if inside and whole and not taken & set(inside):
                taken |= set(inside)
                expected[inside[0] : inside[-1] + 1] = [f"B-{name}"] + [f"I-{name}"] * (len(inside) - 1)
                fitted += 1
        assert tags == expected
        assert len(misfits) == len(spans) - sum(tag[0] == "B" for tag in tags)
    assert fitted > 500


def test_utf16_offsets_of_any_text():
    rng = random.Random(1)
    for _ in range(500):
        text = random_text(rng)
        start, end = sorted(rng.choices(range(len(text) + 1), k=2))
        assert from_utf16(text, [(units(text[:start]), units(text[:end]), "A")]) == [(start, end, "A")]
    assert from_utf16("😀", [(1, 3, "A")]) == [(-1, -1, "A")]


def test_spacy_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy.tokens", None)
    with pytest.raises(InputError, match=r"train.spacy: .* not installed; pip install spacy"):
        docbin_table(tmp_path / "train.spacy")


def doc_bin(path, docs):
    from spacy.tokens import DocBin

    DocBin(docs=docs).to_disk(path)
    return path


def spacy_doc(text: str, spans: list[tuple[int, int, str]]):
    """A document with the splitter's words, and spaCy's tokens of white space between them."""
    spacy = pytest.importorskip("spacy")
    words, spaces, end = [], [], 0
    for a, b in [*word_offsets(text), (len(text), len(text))]:
        gap = text[end:a]
        if words and gap.startswith(" "):
            spaces[-1], gap = True, gap[1:]
        for word in (gap, text[a:b]):
            if word:
                words.append(word)
                spaces.append(False)
        end = b
    doc = spacy.tokens.Doc(spacy.vocab.Vocab(), words, spaces)
    assert doc.text == text
    doc.ents = [doc.char_span(*span) for span in spans]
    return doc


def test_the_same_corpus_from_spacy(tmp_path):
    docs = [spacy_doc(text, spans) for text, spans in texts_and_spans()]
    table = docbin_table(doc_bin(tmp_path / "train.spacy", docs))
    assert [(row["tokens"], row["tags"]) for row in table.to_pylist()] == EXPECTED
    assert table["line"].to_pylist() == [[1], [2], [3], [5]] and table["document"].to_pylist() == [1, 2, 3, 5]


def test_sentences_of_spacy(tmp_path, caplog):
    spacy = pytest.importorskip("spacy")
    words = ["\n", "I", "saw", "St.", "Louis", ".", "\n\n", "It", "rains", "."]
    tags = ["O", "O", "O", "B-LOC", "I-LOC", "O", "O", "O", "O", "O"]
    starts = [True, False, False, False, False, False, True, False, False, False]
    doc = spacy.tokens.Doc(spacy.vocab.Vocab(), words, ents=tags, sent_starts=starts)
    bare = spacy.tokens.Doc(spacy.vocab.Vocab(), ["No", "labels"])
    parsed = spacy.tokens.Doc(
        spacy.vocab.Vocab(), ["Bats", "fly", "Dogs", "run"], heads=[1, 1, 3, 3], deps=["nsubj", "ROOT"] * 2
    )
    parsed.ents = [spacy.tokens.Span(parsed, 0, 1, "A")]
    table = docbin_table(doc_bin(tmp_path / "train.spacy", [doc, bare, parsed]))
    assert table["tokens"].to_pylist() == [
        ["I", "saw", "St.", "Louis", "."], ["It", "rains", "."], ["No", "labels"], ["Bats", "fly"], ["Dogs", "run"],
    ]  # fmt: skip
    assert table["tags"].to_pylist()[0] == ["O", "O", "B-LOC", "I-LOC", "O"]
    assert table["document"].to_pylist() == [1, 1, 2, 3, 3]
    assert "train.spacy: 2 tokens have no annotation, neither an entity nor O; read as O" in caplog.text


def test_spacy_files_that_cannot_be_used(tmp_path):
    path = tmp_path / "train.spacy"
    whole = doc_bin(path, [spacy_doc("Oslo", [])]).read_bytes()
    for content in (b"", b"not a DocBin", whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"train.spacy: spaCy cannot read it"):
            docbin_table(path)


@pytest.mark.filterwarnings("ignore:.W030.")  # about each span that does not fit
def test_tags_agree_with_spacy():
    training = pytest.importorskip("spacy.training")
    rng = random.Random(2)
    for _ in range(500):
        text = " ".join(random_text(rng).split())
        words = word_offsets(text)
        spans = [(*sorted(rng.choices(range(len(text) + 1), k=2)), "A")]
        spans = [s for s in spans if text[s[0] : s[1]] == text[s[0] : s[1]].strip() != ""]
        tags, misfits = bio_tags(text, words, spans)
        theirs = training.offsets_to_biluo_tags(spacy_doc(text, []), spans)
        without_misfits = ["O" if tag == "-" else tag for tag in theirs]
        assert training.biluo_to_iob(without_misfits) == tags
        assert ("-" in theirs) == bool(misfits)
