"""Records: what cannot be read or used becomes one message that names the file or the run."""

import os

import pytest
from scored_runs import ROWS, write_run

import report
from ner.errors import InputError
from ner.files import optional_record, read_record, write_json


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("args.yaml", "a: &a [1]\nb: *a\n", "found an alias"),  # hundreds of bytes of them can become gigabytes
        ("args.yaml", "seed: 2024-02-31\n", "cannot be read: day is out of range"),
        ("args.yaml", "x: " + "[" * 3_000, "maximum recursion depth exceeded"),
        ("args.yaml", "x: !!python/object/apply:os.getcwd []\n", "cannot be read"),
        ("args.yaml", "- a\n", "found no mapping"),
        ("config.json", "\udcff", "cannot be read"),
    ],
)
def test_what_is_no_record(name, text, message, tmp_path):
    (tmp_path / name).write_bytes(os.fsencode(text))
    with pytest.raises(InputError, match=f"^{tmp_path / name}: .*{message}"):
        read_record(tmp_path / name)


def test_what_was_written_is_read(tmp_path):
    content = {"dataset": os.fsdecode(b"d\xff"), "a": [1, 2.5, None, {"b": "é"}]}
    write_json(tmp_path / "metrics.json", content)
    assert read_record(tmp_path / "metrics.json") == content
    assert optional_record(tmp_path / "none.json") == {} == optional_record(tmp_path / "metrics.json" / "none.json")
    (tmp_path / "state.json").write_text('{"log_history": [{"grad_norm": NaN}, {"grad_norm": -Infinity}]}')  # Trainer's
    assert read_record(tmp_path / "state.json") == {"log_history": [{"grad_norm": None}] * 2}


def test_halves_of_characters_in_records_do_not_stop_a_report(tmp_path):
    folders = [write_run(tmp_path / name, ROWS, optim=name) for name in "ab"]
    (folders[0] / "args.yaml").write_text('optim: "\\ud800"\n')
    (folders[0] / "environment.json").write_text('{"python": "\\ud800", "packages": {"\\ud800": "\\udfff"}}')
    report.main([*map(str, folders), "--output_dir", str(tmp_path / "out")])
    assert all((tmp_path / "out" / f"report.{kind}").stat().st_size for kind in ("html", "md", "json"))
