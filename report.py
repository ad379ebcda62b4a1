"""Compare runs on the classes that all of them know, or on some of these, with intervals and significance tests.

    python report.py runs/distilbert_default runs/distilbert_masked --output_dir runs/report
    python report.py runs/distilbert_default runs/roberta_default --classes PER ORG LOC

It only reads run folders, and `test/predictions.jsonl` in each of them is enough. To compare other scores, name their
folder instead, such as RUN/validation. It writes report.html, report.md, report.json and the pictures (SVG) to the
output folder, and prints the tables.
"""

import gc
import os
import sys
from pathlib import Path

from ner.errors import CommandParser, InputError, run_script
from ner.files import optional_record
from ner.report.run_reader import compared_classes, read_runs


def main(argv: list[str]) -> None:
    """Writes the comparison of the named runs as web page, Markdown, JSON and pictures, and prints its tables."""
    parser = CommandParser(description=__doc__)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="run folders; the others are compared with the first"
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="CLASS", help="compare on these only (default: the classes that all runs know)"
    )
    parser.add_argument(
        "--output_dir", type=Path, default=Path("runs/report"), help="folder for the report (default: runs/report)"
    )
    options = parser.parse_args(argv)
    folder = options.output_dir
    require_own(folder)
    runs = read_runs(options.runs)
    classes = compared_classes(runs, options.classes)
    from ner.report.page import write_report  # its imports take a while, and a mistyped run is reported before them

    _, text = write_report(folder, runs, classes)
    print(text, end="")
    print(f"wrote report.html, report.md and report.json in {folder}", file=sys.stderr)


def require_own(folder: Path) -> None:
    """Raises `InputError` where a report would replace a file that `report.py` did not write."""
    present = [name for name in ("report.html", "report.md", "report.json") if os.path.lexists(folder / name)]
    if present and not optional_record(folder / "report.json").keys() >= {"classes", "groups"}:
        raise InputError(
            f"--output_dir: {folder} holds a {present[0]} that report.py did not write; expected a new folder, or one "
            "with an earlier report; name another"
        )


if __name__ == "__main__":
    gc.disable()  # a report makes millions of lists, none in circles; looking for circles takes two fifths of the time
    run_script(main)
