"""The comparisons of a study and its front page, from the runs where they are at hand, and else from their records."""

import logging
import statistics
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from ner.files import optional_json, using_records, write_json, write_text
from ner.report.findings import finding, mean_cell
from ner.report.page import html_page, report_markdown, write_report
from ner.report.run_reader import compared_classes, read_runs
from ner.report.tables import Part, difference_table, table
from ner.runs.files import PREDICTIONS
from ner.study.class_map import changed_mentions, class_map, record_parts
from ner.study.map_page import map_parts
from ner.study.plan import Study
from ner.study.records import is_recorded, recorded_scores

log = logging.getLogger("ner")
# What a report says of the runs as a whole. The rest is about single sentences and errors.
RECORDED = ("classes", "support", "sentences", "clusters", "groups", "differing", "unrecorded")


def compared(study: Study, group: str, name: str, output_dir: Path, records: Path, split: str) -> dict[str, Any]:
    """The comparison of a study's settings in a group of runs, as `report.json` has it without sentences and errors.

    Where the predictions of all recorded runs are at hand, the report is written to `OUTPUT_DIR/GROUP/NAME/`. Else the
    recorded comparison is returned; empty if there is none.
    """
    runs = [run for setting in study.comparisons[name] for run in study.runs_of(group, setting)]
    made = [run for run in runs if is_recorded(records / run.name, split)]
    if len(made) < len(runs):
        log.warning("%s: %d of %d runs are not finished, and left out", f"{group}/{name}".lstrip("/"),
                    len(runs) - len(made), len(runs))  # fmt: skip
    place = records / group / f"{name}{'' if split == study.split else f'_{split}'}.json"
    folders = [output_dir / run.name for run in made]
    if folders and all((folder / split / PREDICTIONS).is_file() for folder in folders):
        read = read_runs(folders, split)
        result, _ = write_report(output_dir / group / name, read, compared_classes(read, None))
        write_json(place, {key: result[key] for key in RECORDED if key in result})
    recorded = optional_json(place)
    compared_runs = {run for each in recorded.get("groups", []) for run in each["runs"]}
    if compared_runs != {Path(run.name).name for run in made}:
        log.warning("%s: the comparison on record is not that of all finished runs, whose predictions are not all here",
                    place)  # fmt: skip
    return recorded


def front_page(
    study: Study, results: dict[tuple[str, str], dict[str, Any]], output_dir: Path, records: Path, split: str
) -> str:
    """Writes study.md, study.html and study.json: the maps and the tables of all comparisons. Returns the first."""
    parts: list[Part] = [("lead", study.question)]
    content: dict[str, Any] = {}
    for group in study.groups if study.removable else ():
        record_parts(study, group, output_dir, records)
        result = content[f"{group}/map".lstrip("/")] = class_map(study, group, records)
        parts.append(("h2", f"{group}: map" if group else "map"))
        (output_dir / group).mkdir(parents=True, exist_ok=True)
        if result:
            parts += map_parts(result, changed_mentions(study, group, output_dir, records), output_dir / group)
        else:
            parts.append(("p", "Too few runs are finished for a map."))
    for (group, name), result in results.items():
        content[f"{group}/{name}".lstrip("/")] = result
        if result:
            parts.append(("h2", f"{group}: {name}" if group else name))
            with using_records(records / group):
                parts += comparison_parts(result, records / group, split)
            if (output_dir / group / name / "report.html").is_file():
                parts.append(("link", {"text": "The whole report", "href": f"{group}/{name}/report.html".lstrip("/")}))
    output_dir.mkdir(parents=True, exist_ok=True)
    text = report_markdown(parts, "Study")
    write_text(output_dir / "study.md", text)
    on_page = [part for part in parts if part[0] != "picture"]  # the table is a heat map already, and its cells open
    write_text(output_dir / "study.html", html_page(on_page, "Study"))
    write_json(output_dir / "study.json", content)
    return text


def comparison_parts(result: dict[str, Any], records: Path, split: str) -> list[Part]:
    """The finding, the scores of the settings, and how each differs from the first. On the validation split, which is
    there to choose by, also the best setting.
    """
    groups = [group | {"name": str(group["runs"][0]).rpartition("-")[0]} for group in result["groups"]]  # the setting
    support = {c: n for c, n in result["support"].items() if n}
    head = ["F1 on the shared classes", "updates", "seconds", "micro", "macro", *support, "own classes"]
    rows, own_f1 = [], {}
    for group in groups:
        runs = [recorded_scores(records / run, split) for run in group["runs"]]
        updates = " ".join(f"{n:,}" for n in sorted({run["updates"] for run in runs}))
        own = own_f1[group["name"]] = [run["f1"]["micro"] for run in runs]
        of_own = {"mean": statistics.mean(own), "sd": statistics.stdev(own) if len(own) > 1 else None}
        cells = [mean_cell(f1) for f1 in (*(group["f1"][title] for title in head[3:-1]), of_own)]
        rows.append([group["name"], updates, f"{statistics.mean(run['seconds'] for run in runs):,.0f}", *cells])
    parts: list[Part] = [("p", text) for text in finding(result | {"groups": groups})]
    parts.append(table("Mean and standard deviation over seeds, in percent", head, rows))
    if split == "validation":
        parts.append(("p", chosen(own_f1)))
    return [*parts, *(difference_table(groups[0], other, support) for other in groups[1:])]


def chosen(f1: dict[str, list[float]]) -> str:
    """Which setting has the best mean F1 over its seeds, and how much that is because it was chosen.

    For that, each seed is left out in turn: the setting that is best on the others is compared, on the seed left out,
    with its mean on the others. All settings have the same number of seeds.
    """
    best = max(f1, key=lambda name: statistics.mean(f1[name]))
    seeds, mean = len(f1[best]), statistics.mean(f1[best])
    if seeds < 2:
        return f"The best is {best}: {100 * mean:.1f}. One seed cannot show how much choosing flatters it."
    half = float(stdtrit(seeds - 1, 0.975)) * statistics.stdev(f1[best]) / seeds**0.5
    gains = []
    for left_out in range(seeds):
        others = {
            name: statistics.mean(value for i, value in enumerate(values) if i != left_out)
            for name, values in f1.items()
        }
        first = max(others, key=lambda name: others[name])
        gains.append(others[first] - f1[first][left_out])
    return (
        f"The best is {best}: {100 * mean:.1f} (95 % interval {100 * (mean - half):.1f} to {100 * (mean + half):.1f}). "
        f"Leaving each seed out of the choice in turn, the chosen setting is {100 * statistics.mean(gains):.1f} points "
        "worse on that seed than on the seeds that chose it."
    )
