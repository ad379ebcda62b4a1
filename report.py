"""Compare runs on the classes that all of them know, or on some of these, with intervals and significance tests.

    python report.py runs/distilbert_default runs/distilbert_masked --output_dir runs/report
    python report.py runs/distilbert_default runs/roberta_default --classes PER ORG LOC

It only reads run folders, and `test/predictions.jsonl` in each of them is enough. It writes report.html, report.md,
report.json and the pictures (SVG) to the output folder, and prints the tables.
"""

import argparse
import gc
import sys
from pathlib import Path

from ner.errors import CommandParser, run_script
from ner.files import using_records, write_json, write_text
from ner.report.comparison import comparison, entities_by_run
from ner.report.page import html_page, report_markdown
from ner.report.run_reader import compared_classes, read_runs
from ner.report.setups import setup_comparison
from ner.report.tables import confidence_records, confidence_table, opening, tables


@using_records("the runs")
def main(argv: list[str]) -> None:
    """Writes the comparison of the named runs as web page, Markdown, JSON and pictures, and prints its tables."""
    options = parse(argv)
    runs, folder = read_runs(options.runs), options.output_dir
    classes = compared_classes(runs, options.classes)
    entities = entities_by_run(runs, classes)
    result = comparison(runs, classes, entities) | setup_comparison(runs)
    result["confidence"] = confidence_records(runs)

    from ner.report.pictures import confidence_pictures, difference_picture, score_pictures  # matplotlib takes a while

    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "report.json", result)
    first, rest = opening(result), tables(result)
    parts = [*first, *difference_picture(result, folder), *rest, *score_pictures(result, runs, folder)]
    parts += [*confidence_table(result["confidence"]), *confidence_pictures(result["confidence"], folder)]
    write_text(folder / "report.md", report_markdown(parts))
    write_text(folder / "report.html", html_page(parts, runs, classes, entities))
    print(report_markdown([*first, *rest]), end="")
    print(f"wrote report.html, report.md and report.json in {folder}", file=sys.stderr)


def parse(argv: list[str]) -> argparse.Namespace:
    """The options `runs`, `classes` and `output_dir`. Raises `InputError` for a wrong command line."""
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="run folders; the others are compared with the first",
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="CLASS", help="compare on these classes only (default: all that all runs know)"
    )
    parser.add_argument(
        "--output_dir", type=Path, default=Path("runs/report"), help="folder for the report (default: runs/report)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    gc.disable()  # a report makes millions of lists, none in circles; looking for circles takes two fifths of the time
    run_script(main)
