"""Files of scored runs that cannot be read or compared: the message names the file and the line."""

import pytest
from scored_runs import ROWS, report_of, write_run

import report
from ner.report.page import write_report
from ner.report.run_reader import read_runs

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """The report's default folder is then not that of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)


def test_runs_that_cannot_be_compared_are_refused(tmp_path, fails):
    first = write_run(tmp_path / "first", ROWS)
    others = {"tokens": [*ROWS], "gold": [*ROWS], "shorter": ROWS[:-1]}
    others["tokens"][7] = ROWS[7] | {"tokens": ["x", *ROWS[7]["tokens"][1:]]}
    others["gold"][5] = ROWS[5] | {"gold": ["B-PER" if t == "O" else "O" for t in ROWS[5]["gold"]]}
    for (name, rows), i in zip(others.items(), (7, 5, 79), strict=True):
        message = fails(report.main, first, write_run(tmp_path / name, rows))
        assert (
            f"first (80 sentences) and {name} ({len(rows)}) differ in tokens or gold tags: the first is id {i}"
            in message
        )
    foreign = [r | {s: ["B-X" if t != "O" else t for t in r[s]] for s in ("gold", "predicted")} for r in ROWS]
    assert "no class in common" in fails(report.main, first, write_run(tmp_path / "classes", foreign))
    assert "expected each run once" in fails(report.main, first, first)
    assert "found no predictions.jsonl; expected the scores of a run; check its name" in fails(report.main, tmp_path)


def test_tags_in_another_scheme_are_named(tmp_path, fails):
    rows = [row | {"gold": ["S-PER" if tag == "B-PER" else tag for tag in row["gold"]]} for row in ROWS]
    for classes in (None, ["PER", "LOC"]):
        folder = write_run(tmp_path / f"run{classes}", rows, classes)
        assert "test: found the label 'S-PER'; expected O, B-CLASS or I-CLASS" in fails(report.main, folder)


def test_predictions_that_were_cut_are_named(tmp_path, fails):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "predictions.jsonl").write_text('{"tokens": ["a"], "gold": ["O"], "predicted": ["O')
    assert "predictions.jsonl:1: expected tokens, gold and predicted, " in fails(report.main, tmp_path)


@pytest.mark.parametrize(
    "change", [{"gold": ["O"]}, {"predicted": None}, {"gold": [1, 2], "predicted": [0, 0]}, {"tokens": "ab"}]
)
def test_a_line_of_other_records_is_named(tmp_path, change, fails):
    row = {"tokens": ["a", "b"], "gold": ["O", "B-PER"], "predicted": ["O", "O"]}
    run = write_run(tmp_path / "run", [row, row | change])
    assert "predictions.jsonl:2: expected tokens, gold and predicted, three lists" in fails(report.main, run)


@pytest.mark.parametrize(
    ("name", "text"), [("config.json", "null"), ("environment.json", "[]"), ("args.yaml", "[1]"), ("config.json", "{")]
)
def test_wrong_records_are_named(tmp_path, name, text, fails):
    folder = write_run(tmp_path / "run", ROWS)
    (folder / name).write_text(text)
    assert name in fails(report.main, folder, "--output_dir", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["validation", "scores/other-test-1"])
def test_a_folder_of_scores_is_compared_with_the_records_of_its_run(tmp_path, place):
    places = []
    for name in ("a", "b"):
        run = write_run(tmp_path / name, ROWS, ["PER", "ORG", "LOC", "DIS", "X"], seed=1, learning_rate=len(places))
        (run / "scores").mkdir()
        places.append((run / "test").rename(run / place))
    result = report_of(tmp_path, *places)
    assert [*result["runs"]] == [f"a/{place}", f"b/{place}"]
    assert result["split"] == place.split("/")[-1]  # without metrics.json, which records it
    assert all("X" in each["own"]["classes"] for each in result["runs"].values())  # of config.json
    assert [d["what"] for d in result["differing"]] == ["--learning_rate"]
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "the runs differ in --learning_rate (“Other differences”, below)." in text


def test_the_split_of_other_scores_is_the_recorded_one(tmp_path):
    run = write_run(tmp_path / "run", ROWS)
    (run / "scores").mkdir()
    place = (run / "test").rename(run / "scores" / "other-validation-1")
    (place / "metrics.json").write_text('{"split": "validation"}')
    assert report_of(tmp_path, place)["split"] == "validation"
    plain = [write_run(tmp_path / "scores" / name, ROWS) for name in ("a", "b")]  # runs in a folder of that name
    assert [*report_of(tmp_path, *plain)["runs"]] == ["a", "b"]


def test_linked_runs_are_named_by_their_links(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / "elsewhere" / f"{name}7", ROWS)
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / f"{name}7")
    assert [run.name for run in read_runs([tmp_path / "a", tmp_path / "b"])] == ["a", "b"]


def test_a_report_says_which_split_was_scored(tmp_path):
    run = write_run(tmp_path / "run", ROWS)
    (run / "test").rename(run / "validation")
    write_report(tmp_path / "out", runs := read_runs([run], "validation"), runs[0].classes)
    for name in ("report.md", "report.html"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "validation sentences" in text and "test sentences" not in text


def test_a_file_in_a_run_folder_that_is_called_like_predictions_is_not_taken_for_its_scores(tmp_path):
    run = write_run(tmp_path / "run", ROWS)
    (run / "predictions.jsonl").write_text('{"text": "what its owner had tagged", "entities": []}\n')
    assert report_of(tmp_path, run)["split"] == "test"
