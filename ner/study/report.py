"""The comparisons of a study and its front page, from the runs where they are at hand, and else from their records."""

import logging
import statistics
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from ner.files import optional_json, using_records, write_json, write_text
from ner.report.findings import finding, p_cell, points, verdict
from ner.report.page import html_page, report_markdown, write_report
from ner.report.run_reader import compared_classes, read_runs
from ner.report.tables import Part, detectable_cell, table
from ner.runs.files import METRICS, PREDICTIONS
from ner.study.class_map import map_parts
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
    study: Study, results: dict[tuple[str, str], dict[str, Any]], maps: dict[str, dict[str, Any]], output_dir: Path,
    records: Path, split: str,
) -> str:  # fmt: skip
    """Writes study.md, study.html and study.json: the maps and the tables of all comparisons. Returns the first."""
    parts: list[Part] = [("lead", study.question)]
    for group, result in maps.items():
        parts.append(("h2", f"{group}: map" if group else "map"))
        parts += map_parts(result) if result else [("p", "Too few runs are finished for a map.")]
    for (group, name), result in results.items():
        if result:
            parts.append(("h2", f"{group}: {name}" if group else name))
            with using_records(records / group):
                parts += comparison_parts(result, records / group, split)
            if (output_dir / group / name / "report.html").is_file():
                parts.append(("link", {"text": "The whole report", "href": f"{group}/{name}/report.html".lstrip("/")}))
    output_dir.mkdir(parents=True, exist_ok=True)
    text = report_markdown(parts, "Study")
    write_text(output_dir / "study.md", text)
    write_text(output_dir / "study.html", html_page(parts, "Study"))
    named = {f"{group}/{name}".lstrip("/"): result for (group, name), result in results.items()}
    named |= {f"{group}/map".lstrip("/"): result for group, result in maps.items()}
    write_json(output_dir / "study.json", named)
    return text


def comparison_parts(result: dict[str, Any], records: Path, split: str) -> list[Part]:
    """The finding, the scores of the settings, and how each differs from the first. On the validation split, which is
    there to choose by, also the best setting.
    """
    support = {c: n for c, n in result["support"].items() if n}
    titles = ["micro", "macro", *support]
    first, *others = result["groups"]
    head = ["F1 on the shared classes", "updates", "seconds", *titles, "own classes"]
    rows = [score_row(group, titles, records, split) for group in result["groups"]]
    parts: list[Part] = [("p", text) for text in finding(result)] if "name" in first else []
    parts.append(table("Mean and standard deviation over seeds, in percent", head, rows))
    if split == "validation":
        f1 = {
            setting_of(group): [recorded_scores(records / run, split)["f1"]["micro"] for run in group["runs"]]
            for group in result["groups"]
        }
        parts.append(("p", chosen(f1)))
    gold = {"micro": sum(support.values())} | support
    for group in others:
        head = ["class", "gold entities", "difference", "95 % interval", "p", "p (Holm)", "verdict", "detectable"]
        rows = [difference_row(title, n, group["difference"][title]) for title, n in gold.items()]
        parts.append(table(f"{setting_of(group)}, against {setting_of(first)}, in points", head, rows))
    return parts


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


def setting_of(group: dict[str, Any]) -> str:
    """The setting of a group of runs that differ in their seed only."""
    return str(group["runs"][0]).rpartition("-")[0]


def score_row(group: dict[str, Any], titles: list[str], records: Path, split: str) -> list[str]:
    """Mean and standard deviation over the seeds of a setting; the last column is on all classes of each run."""
    runs = [(optional_json(records / run / "environment.json"), records / run) for run in group["runs"]]
    updates = " ".join(f"{n:,}" for n in sorted({environment["update_steps"] for environment, _ in runs}))
    seconds = statistics.mean(environment["train_seconds"] for environment, _ in runs)
    own = [optional_json(run / split / METRICS)["overall"]["f1"] for _, run in runs]
    f1 = [group["f1"][title] for title in titles]
    own_cell = spread(statistics.mean(own), statistics.stdev(own) if len(own) > 1 else None)
    cells = [spread(each["mean"], each["sd"]) for each in f1]
    return [setting_of(group), updates, f"{seconds:,.0f}", *cells, own_cell]


def spread(mean: float, deviation: float | None) -> str:
    """Mean and standard deviation in percent."""
    return f"{100 * mean:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")


def difference_row(title: str, support: int, d: dict[str, Any]) -> list[str]:
    """How a score differs from that of the first setting."""
    difference = points(d["difference"], 2, "+")
    interval = "one seed" if d["low"] is None else " to ".join(points(d[name], 2, "+") for name in ("low", "high"))
    p = p_cell(d["p"]), p_cell(d.get("p_holm"))
    return [title, f"{support:,}", difference, interval, *p, verdict(d), detectable_cell(d)]
