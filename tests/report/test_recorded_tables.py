"""The tables from the records in results/."""

from pathlib import Path

import pytest
from conftest import ROOT

from benchmarks import tables
from ner.errors import InputError

RESULTS = ROOT / "results"
WITH_TABLES = ["multinerd_en", "multinerd_en_unconstrained", "recipe/multinerd_en", "recipe/standin_en"]


def test_any_folder_of_records_gives_tables_or_a_message(capsys):
    printed = []
    for folder in sorted(path for path in [RESULTS, *RESULTS.rglob("*")] if path.is_dir()):
        try:
            tables.main([str(folder)])
        except InputError as error:
            assert str(error).startswith(str(folder)) and "expected" in str(error)
            assert capsys.readouterr().out == ""
        else:
            assert "| micro | " in capsys.readouterr().out
            printed.append(str(folder.relative_to(RESULTS)))
    assert {*WITH_TABLES} <= {*printed} and not {"levers", "multinerd_en_it", "recipe"} & {*printed}


@pytest.mark.parametrize(
    ("folder", "message"),
    [("recipe", "recipe/standin_en"), ("levers", "results/README.md"), ("multinerd_en_it", "found no experiments")],
)
def test_the_message_helps_on(folder, message, fails):
    assert message in fails(tables.main, Path("results", folder).resolve())
