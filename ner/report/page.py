"""The report as Markdown, and as one self-contained page with the test sentences and their entities marked."""

from pathlib import Path
from typing import Any

from ner.errors import on_one_line
from ner.files import write_json, write_text, written_together
from ner.markdown import templates
from ner.report.comparison import comparison, entities_by_run
from ner.report.pictures import class_f1_picture, difference_picture
from ner.report.run_reader import Run
from ner.report.tables import Part, confidence_table, opening, tables
from ner.scoring.error_analysis import KINDS, Entities

TITLE = "Comparison of runs"
TEMPLATES = templates(Path(__file__).parent / "templates")
TEMPLATES.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
TEMPLATES.filters["printable"] = on_one_line


def write_report(folder: Path, runs: list[Run], classes: list[str]) -> tuple[dict[str, Any], str]:
    """Writes the comparison of runs on some classes as report.html, report.md, report.json and pictures, all together.

    Returns the content of report.json, and the tables in Markdown.
    """
    entities = entities_by_run(runs, classes)
    result = comparison(runs, classes, entities)
    first, rest = opening(result), [*tables(result), *confidence_table(runs)]
    with written_together(folder) as new:
        write_json(new / "report.json", result)
        parts = [*first, *difference_picture(result, new), *rest, *class_f1_picture(result, new)]
        write_text(new / "report.md", report_markdown(parts, TITLE))
        write_text(new / "report.html", html_page(parts, TITLE, sentence_data(runs, classes, entities)))
    return result, report_markdown([*first, *rest], TITLE)


def report_markdown(parts: list[Part], title: str) -> str:
    """The parts of a report in Markdown; pictures are named relative to the report's folder."""
    return TEMPLATES.get_template("report.md.j2").render(parts=parts, title=title)


def html_page(parts: list[Part], title: str, data: dict[str, Any] | None = None) -> str:
    """The page: the parts of a report in their order, then, if there are some, the sentences in `data`.

    All text of the sentences is in one block of JSON. The page makes text nodes of it.
    """
    return TEMPLATES.get_template("report.html.j2").render(parts=parts, title=title, data=data)


def sentence_data(runs: list[Run], classes: list[str], entities: list[Entities]) -> dict[str, Any]:
    """The sentences with an error, for the page, first those where the runs differ, with the `entities` of each run."""
    sentences: list[list[Any]] = []
    for i, (tokens, lang) in enumerate(zip(runs[0].tokens, runs[0].langs, strict=True)):
        predicted, errors = [each.predicted[i] for each in entities], [each.errors[i] for each in entities]
        if any(errors):
            sentences.append([tokens, entities[0].gold[i], predicted, errors, i, lang])
    sentences.sort(key=lambda sentence: all(each == sentence[2][0] for each in sentence[2]))
    return {
        "runs": [run.name for run in runs],
        "classes": classes,
        "kinds": list(KINDS),
        "sentences": sentences,
        "split": runs[0].split,
    }
