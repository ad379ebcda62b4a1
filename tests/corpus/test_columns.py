"""A token a line, in whatever columns."""

import pytest

from ner.corpus.columns import column_table
from ner.errors import InputError

EXPECTED = [(["EU", "rejects", "German", "lamb"], ["B-ORG", "O", "B-MISC", "O"]), (["#1", "#"], ["O", "O"])]


def read(tmp_path, text: str, **columns: str) -> tuple[str, list[tuple[list[str], list[str]]], list[int]]:
    path = tmp_path / "train.conll"
    path.write_text(text, encoding="utf-8")
    form, table = column_table(path, **columns)
    sentences = list(zip(table["tokens"].to_pylist(), table["tags"].to_pylist(), strict=True))
    return form, sentences, table["document"].to_pylist()


@pytest.mark.parametrize(
    ("rows", "columns", "form"),
    [
        ("{0}\t{1}", {}, "columns between tabs: token 1, tag 2 of 2"),
        ("{0} NNP  I-NP   {1}", {}, "columns between spaces: token 1, tag 4 of 4"),  # CoNLL-2003
        ("{n}\t{0}\t{1}", {}, "columns between tabs after an index: token 2, tag 3 of 3"),  # MultiNERD
        ("{n}\t{0}\t{1}\tO", {}, "columns between tabs after an index: token 2, tag 3 of 4"),  # GermEval
        ("{1} {0} X", {"token_column": "2", "tag_column": "1"}, "columns between spaces: token 2, tag 1 of 3"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_columns_of_a_corpus(tmp_path, rows, columns, form, end):
    text = "# id = 1\n"
    for tokens, tags in EXPECTED:
        pairs = enumerate(zip(tokens, tags, strict=True), 1)
        text += "".join(f"{rows.format(*pair, n=n)}\n" for n, pair in pairs) + " \t\n"
    found, sentences, documents = read(tmp_path, text.replace("\n", end), **columns)
    assert (found, sentences, documents) == (form, EXPECTED, [-1, -1])


@pytest.mark.parametrize("between", [" ", "\t"])
@pytest.mark.parametrize("mark", ["-DOCSTART- -X- -X- O\n\n", "-DOCSTART- O\n", "# newdoc id = x\n"])
def test_marks_begin_documents(tmp_path, mark, between):
    text = f"{mark}a+N+N+O\n\nb+N+N+O\n\n{mark}c+N+N+B-LOC\n\n".replace("+", between)
    assert read(tmp_path, text)[1:] == ([(["a"], ["O"]), (["b"], ["O"]), (["c"], ["B-LOC"])], [0, 0, 1])


def test_a_line_that_begins_with_a_hash_is_a_token_if_it_has_a_tag(tmp_path):
    text = "# a comment\nsee O\n#tag B-hash\n# O\n#!\n# loc\n"
    assert read(tmp_path, text)[1] == [(["see", "#tag", "#"], ["O", "B-hash", "O"])]
    assert read(tmp_path, "# a comment\nOslo\tLOC\n#\tLOC\n")[1] == [(["Oslo", "#"], ["LOC", "LOC"])]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a O\n\na\n", {}, r"train.conll:3: found 1 columns; expected 2, as in the first line with a token"),
        ("token,tag\nOslo,B-LOC\n", {}, r"train.conll: found 'token,tag'; expected a token and its tag in each line"),
        ("a N O\n", {"tag_column": "4"}, r"--tag_column: found '4'; expected a number from 1 to 3, a column of"),
        ("a N O\n", {"token_column": "word"}, r"--token_column: found 'word'; expected a number from 1 to 3"),
        ("0\tO\tIn\n1\tB-LOC\n", {"token_column": "3", "tag_column": "2"}, r"conll:2: found 2 columns, the first"),
    ],
)
def test_wrong_columns_are_named(tmp_path, text, columns, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, **columns)


def test_a_first_sentence_of_a_number_is_no_index_if_an_option_says_so(tmp_path):
    text = "1 CD B-NP O\n\nEU NNP B-NP B-ORG\n"
    with pytest.raises(InputError, match=r"train.conll:3: found 4 columns, the first 'EU'; .*--token_column 1$"):
        read(tmp_path, text)
    assert read(tmp_path, text, token_column="1")[1] == [(["1"], ["O"]), (["EU"], ["B-ORG"])]
