"""The comparisons of a study and its front page, from the runs where they are available, else from their records."""

import logging
import statistics
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from ner.errors import InputError
from ner.files import optional_record, write_json, write_text, written_together
from ner.report.findings import enumeration, finding, mean_cell, points
from ner.report.page import html_page, report_markdown, write_report
from ner.report.pictures import line_plot, report_picture
from ner.report.run_reader import compared_classes, read_runs
from ner.report.tables import Part, difference_table, table
from ner.runs.upload import without_local_paths
from ner.scoring.score_table import EMPTY
from ner.scoring.significance import half_width
from ner.study.class_map import LEAST_MENTIONS, changed_mentions, class_map, record_parts
from ner.study.map_page import MAP_PICTURE, map_parts
from ner.study.plan import Study
from ner.study.records import is_recorded, pooled_sd, predictions_of, recorded_scores

log = logging.getLogger("ner")
# What a report says of the runs as a whole. The rest is about single sentences and errors.
RECORDED = ("classes", "support", "sentences", "clusters", "groups", "differing", "unrecorded")


def compared(study: Study, group: str, name: str) -> tuple[dict[str, Any], bool]:
    """The comparison of a study's settings in a group of runs, as `report.json` has it without sentences and errors,
    and whether its report was written.

    Where the predictions of all recorded runs are available, it is, to `OUTPUT_DIR/GROUP/NAME/`. Else the recorded
    comparison is returned; empty if there is none.
    """
    runs = [run for setting in study.comparisons[name] for run in study.runs_of(group, setting)]
    made = [run for run in runs if is_recorded(study, run)]
    if len(made) < len(runs):
        log.warning("%s: %d of %d runs are not finished, and are left out", f"{group}/{name}".lstrip("/"),
                    len(runs) - len(made), len(runs))  # fmt: skip
    place = study.records / group / f"{name}.json"
    micro = {Path(run.name).name: recorded_scores(study, run)["f1"]["micro"] for run in made}
    is_written = bool(made) and all(predictions_of(study, run) for run in made)
    if is_written:
        # Another machine has the data elsewhere, and not all options of another program are in args.yaml.
        read = [
            replace(run, args=without_local_paths(run.args) | {"setting": of.setting} if run.args else {})
            for run, of in zip(read_runs([study.output_dir / run.name for run in made], study.split), made, strict=True)
        ]
        result, _ = write_report(study.output_dir / group / name, read, compared_classes(read, None))
        write_json(place, {key: result[key] for key in RECORDED} | {"micro": micro})
    recorded = optional_record(place)
    if micro != recorded.get("micro", {}):
        log.warning("%s: has no comparison of these runs, and some of their predictions are missing, so nothing is "
                    "tested", place)  # fmt: skip
        return {}, False
    return recorded, is_written


def front_page(study: Study) -> str:
    """Writes study.md, study.html, study.json and pictures, with all maps and comparisons. Returns study.md's text.

    Where there is no comparison, study.md and study.html have the scores of the finished runs.
    """
    about = f"All scores are on the {study.split} split. The correction of p covers one comparison or map at a time."
    parts: list[Part] = [("lead", study.question), ("p", about)]
    content: dict[str, Any] = {}
    with written_together(study.output_dir) as new:
        for group in study.groups if study.removable else ():
            record_parts(study, group)
            result = content[f"{group}/map".lstrip("/")] = class_map(study, group)
            parts.append(("h2", f"{group}: map" if group else "map"))
            if result:
                parts += map_parts(result, changed_mentions(study, group), new / picture_name(group, MAP_PICTURE))
            else:
                least = f"no class has {LEAST_MENTIONS} mentions in the {study.split} split"
                parts.append(("p", f"Too few runs are finished for a map, or {least}."))
        for group in study.groups if study.curves else ():
            parts += curve_parts(study, group, new)
        for group, name in product(study.groups, study.comparisons):
            result, is_written = compared(study, group, name)
            content[f"{group}/{name}".lstrip("/")] = result
            shown = comparison_parts(study, group, result) if result else score_parts(study, group, name)
            if shown:
                parts += [("h2", f"{group}: {name}" if group else name), *shown]
            if is_written:
                parts.append(("link", {"text": "The whole report", "href": f"{group}/{name}/report.html".lstrip("/")}))
        text = report_markdown(parts, "Study")
        write_text(new / "study.md", text)
        # On the page, the table is a heat map already, and its cells open.
        on_page = [part for part in parts if part[0] != "picture" or not part[1]["name"].endswith(MAP_PICTURE)]
        write_text(new / "study.html", html_page(on_page, "Study"))
        write_json(new / "study.json", content)
    return text


def picture_name(group: str, name: str) -> str:
    """The name of a group's picture, which is beside study.md."""
    return f"{group}/{name}".lstrip("/").replace("/", "-")


def curve_parts(study: Study, group: str, folder: Path) -> list[Part]:
    """The study's curves as a picture: a line through the mean F1 of the settings that have finished runs.

    A run that does not know a class has an F1 of 0 in it. Micro F1 of runs that know different classes is not drawn.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for title, settings in study.curves.items():
        lines[title] = []
        known: set[frozenset[str]] = set()
        for place, setting in settings.items():
            made = [run for run in study.runs_of(group, setting) if is_recorded(study, run)]
            f1 = [recorded_scores(study, run)["f1"] for run in made]
            known.update(map(frozenset, f1))
            lines[title] += [(place, 100 * statistics.mean(each.get(title, 0.0) for each in f1))] if f1 else []
        if lines[title] and not any(title in names for names in known):
            raise InputError(f"curves: no run has an F1 of {title!r}; expected micro or a class")
        if title == "micro" and len(known) > 1:
            log.warning("curves: the runs know different classes, so micro F1 is not drawn: fewer classes score higher")
            del lines[title]
    title = f"F1 in percent, mean over seeds, by {study.across}"
    plot = partial(line_plot, across=study.across, up="F1 in percent")
    drawn = report_picture(plot, lines, title, folder / picture_name(group, "curves.svg"))
    return [("h2", f"{group}: curves" if group else "curves"), *drawn] if drawn else []


def comparison_parts(study: Study, group: str, result: dict[str, Any]) -> list[Part]:
    """The finding, the scores of the settings, and how each differs from the first. On the validation split, which is
    for choosing, also the best setting.
    """
    planned = {Path(run.name).name: run for run in study.runs if run.group == group}
    settings = [planned[each["runs"][0]].setting for each in result["groups"]]
    experiments = [  # several have one setting if its runs differ in more than the seed, as in the hardware's precision
        each | {"name": setting if settings.count(setting) == 1 else each["runs"][0]}
        for each, setting in zip(result["groups"], settings, strict=True)
    ]
    support = {c: n for c, n in result["support"].items() if n}
    head = ["F1 on the shared classes", "updates", "seconds", "micro", "macro", *support, "own classes"]
    rows: list[list[Any]] = []
    found: dict[str, dict[int, dict[str, Any]]] = {}  # by setting and seed
    for each, setting in zip(experiments, settings, strict=True):
        runs = {planned[run].seed: recorded_scores(study, planned[run]) for run in each["runs"]}
        found.setdefault(setting, {}).update(runs)
        own = [run["f1"]["micro"] for run in runs.values()]
        seconds = [run["seconds"] for run in runs.values()]
        time = EMPTY if None in seconds else f"{statistics.mean(seconds):,.0f}"
        cells = [*(mean_cell(each["f1"][title]) for title in head[3:-1]), f1_cell(own)]
        rows.append([each["name"], updates_cell(runs.values()), time, *cells])
    parts: list[Part] = [("p", text) for text in finding(result | {"groups": experiments})]
    parts.append(table("Mean and standard deviation over seeds, in percent", head, rows))
    differing = [d["what"] for d in result["differing"] if not d["what"].startswith("--")]
    if others := [what for what in differing if "update" not in what]:  # of which the table has a column
        parts.append(("p", f"Note that these runs also differ in {enumeration(others)}."))
    if study.split == "validation":
        parts.append(("p", chosen(found)))
    return [*parts, *(difference_table(experiments[0], other, support) for other in experiments[1:])]


def score_parts(study: Study, group: str, name: str) -> list[Part]:
    """What the records of finished runs show where there is no comparison: the scores of each on all its classes.

    The standard error of a difference is that of Welch's test, from three seeds of each setting. With fewer, it takes
    the spread over seeds to be the same in all settings.
    """
    found: dict[str, dict[int, dict[str, Any]]] = {}  # by setting and seed
    for run in (run for setting in study.comparisons[name] for run in study.runs_of(group, setting)):
        if is_recorded(study, run):
            found.setdefault(run.setting, {})[run.seed] = recorded_scores(study, run)
    if not found:
        return []
    micro = {setting: [run["f1"]["micro"] for run in runs.values()] for setting, runs in found.items()}
    first, pooled, rows = next(iter(found)), pooled_sd(list(micro.values())), []
    _, *classes = dict.fromkeys(title for runs in found.values() for run in runs.values() for title in run["f1"])
    known = {setting: classes_and_data({setting: runs}) for setting, runs in found.items()}
    for setting, runs in found.items():
        pair, difference = (micro[setting], micro[first]), ""
        if setting != first and known[setting] == known[first]:
            difference = points(statistics.mean(pair[0]) - statistics.mean(pair[1]), sign="+")
            if min(map(len, pair)) > 2:
                difference += f" ± {100 * sum(statistics.variance(f1) / len(f1) for f1 in pair) ** 0.5:.1f}"
            elif pooled is not None:
                difference += f" ± {100 * pooled * sum(1 / len(f1) for f1 in pair) ** 0.5:.1f}"
        cells = [f1_cell(run["f1"][c] for run in runs.values() if c in run["f1"]) for c in classes]
        rows.append([setting, len(runs), updates_cell(runs.values()), f1_cell(micro[setting]), difference, *cells])
    title = "F1 of each run on its own classes, in percent: mean ± standard deviation over seeds. Nothing is tested"
    head = ["setting", "seeds", "updates", "micro", f"difference from {first} ± standard error", *classes]
    parts = [table(title, head, rows)]
    return [*parts, ("p", chosen(found))] if study.split == "validation" else parts


def classes_and_data(found: dict[str, dict[int, dict[str, Any]]]) -> set[tuple[frozenset[str], str | None]]:
    """The combinations of known classes and scored data among runs, from their scores by setting and seed."""
    return {(frozenset(run["f1"]), run["data"]) for runs in found.values() for run in runs.values()}


def f1_cell(f1: Iterable[float]) -> str:
    """Mean F1 in percent and its standard deviation, if there are several seeds; empty without any."""
    f1 = list(f1)
    return mean_cell({"mean": statistics.mean(f1), "sd": statistics.stdev(f1) if f1[1:] else None}) if f1 else EMPTY


def updates_cell(runs: Iterable[dict[str, Any]]) -> str:
    """The numbers of updates that runs took."""
    return " ".join(f"{n:,}" for n in sorted({run["updates"] for run in runs}))


def chosen(found: dict[str, dict[int, dict[str, Any]]]) -> str:
    """Which setting has the best mean F1 over its seeds, and how much that is because it was chosen.

    `found` has the `recorded_scores` of runs by setting and seed. For the second, each of the best setting's seeds is
    left out in turn: of the settings with all of these seeds, the one that is best on the others is compared, on the
    seed left out, with its mean on the others.
    """
    if len(classes_and_data(found)) > 1:
        return "The settings know different classes, or were scored on other data, so none is named the best."
    f1 = {setting: {seed: run["f1"]["micro"] for seed, run in runs.items()} for setting, runs in found.items()}
    best = max(f1, key=lambda name: statistics.mean(f1[name].values()))
    seeds, top = f1[best], 100 * statistics.mean(f1[best].values())
    rivals = [setting for setting in f1 if f1[setting].keys() >= seeds.keys()]
    if len(seeds) < 2 or len(rivals) < 2:
        return f"The best is {best}: {top:.1f}. No other setting has the same two or more seeds to test the choice on."
    half = 100 * float(half_width(statistics.variance(seeds.values()) / len(seeds), len(seeds) - 1))
    gains = []
    for left_out in seeds:
        others = {name: statistics.mean(f1[name][seed] for seed in seeds if seed != left_out) for name in rivals}
        first = max(others, key=lambda name: others[name])
        gains.append(others[first] - f1[first][left_out])
    return (
        f"The best is {best}: {top:.1f} (95 % interval over seeds {top - half:.1f} to {top + half:.1f}). With each of "
        f"its seeds left out in turn, the best of the {len(rivals)} settings with these seeds is "
        f"{points(statistics.mean(gains))} points worse on that seed than on the seeds that chose it. The choice is "
        "also fitted to these sentences; only other sentences would show by how much."
    )
