"""Many runs for one question: plan them, make them, and compare them.

    python study.py plan   studies/masking.yaml              # the commands, one a line, and what they can find
    python study.py run    studies/masking.yaml [--jobs 2]   # those that are not finished
    python study.py report studies/masking.yaml              # study.md and study.html

docs/study.md says what a study file has.
"""

from ner.errors import before_imports

if __name__ == "__main__":
    before_imports()

import argparse
import logging
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from ner.errors import CommandParser, InputError, run_script
from ner.runs.files import SPLITS
from ner.runs.folder import is_finished
from ner.study.plan import PERCENT_POINT, PlannedRun, Study, detectable, read_study
from ner.study.records import drop_checkpoints, is_recorded, record, recorded_scores

log = logging.getLogger("ner")
ROOT = Path(__file__).parent
STARTING = Lock()  # held while a script is started
RUNNING: list[subprocess.Popen] = []  # the scripts that were started


def plan(study: Study, options: argparse.Namespace) -> None:
    """Prints a command for each run that is not finished, and on standard error what all runs will take and find."""
    missing = missing_runs(study, options)
    for run in missing:
        print(shlex.join([*"python study.py run".split(), *own_words(options), "--only", run.name]))
    recorded = [
        options.records / run.name for run in study.runs if is_recorded(options.records / run.name, study.split)
    ]
    found = [recorded_scores(folder, study.split) for folder in recorded]
    groups = f", in {len(study.groups)} groups of a data set and an encoder" if len(study.groups) > 1 else ""
    log.info("%d runs%s: %d are finished, %d are not", len(study.runs), groups, len(found),
             len(study.runs) - len(found))  # fmt: skip
    if found:
        seconds = statistics.mean(each["seconds"] for each in found)
        log.info("a finished training took %s on average; the others: about %s of computing", duration(seconds),
                 duration(seconds * len(missing)))  # fmt: skip
    spreads = observed_spread(study, options) or study.spread
    for name, settings in study.comparisons.items():
        seeds = min(len(study.runs_of(group, setting)) for group in study.groups for setting in settings)
        if seeds > 1 and len(settings) > 1 and spreads:
            least = {title: detectable(spread, seeds, len(settings) - 1) for title, spread in spreads.items()}
            shown = ", ".join(f"{title} {points:.1f} (± {spreads[title]:.1f})" for title, points in least.items())
            log.info(
                "%s: with %d seeds each, these differences from %s are found in four of five tries, in points (in "
                "brackets, the standard deviation over seeds): %s", name, seeds, settings[0], shown,
            )  # fmt: skip


def observed_spread(study: Study, options: argparse.Namespace) -> dict[str, float]:
    """The standard deviation of each score over the seeds of a setting, in points, pooled over the recorded runs."""
    by_setting: dict[tuple[str, str], list[dict[str, float]]] = {}
    for run in study.runs:
        if is_recorded(options.records / run.name, study.split):
            scores = recorded_scores(options.records / run.name, study.split)["f1"]
            by_setting.setdefault((run.group, run.setting), []).append(scores)
    several = [runs for runs in by_setting.values() if len(runs) > 1]
    first = several[0][0] if several else {}
    titles = [title for title in first if all(title in scores for runs in several for scores in runs)]
    freedom = sum(len(runs) - 1 for runs in several)
    squares = {t: sum(statistics.variance(s[t] for s in runs) * (len(runs) - 1) for runs in several) for t in titles}
    return {title: (square / freedom) ** 0.5 / PERCENT_POINT for title, square in squares.items()}


def run(study: Study, options: argparse.Namespace) -> None:
    """Makes the runs that are not finished, `--jobs` at a time. Raises `InputError` if some failed; the others stay."""
    missing, failed, begun = missing_runs(study, options), [], time.monotonic()
    from ner.study.class_map import record_parts

    with ThreadPoolExecutor(options.jobs) as pool, ending_scripts(pool):
        tasks = {pool.submit(make, study, each, options): each for each in missing}
        for done, task in enumerate(as_completed(tasks), 1):
            each, error = tasks[task], task.exception()
            if isinstance(error, InputError):
                failed.append(each.name)
                log.error("%s", error)
            elif error:
                raise error
            elif study.removable:
                record_parts(study, each.group, options.output_dir, options.records)
            left = (time.monotonic() - begun) / done * (len(missing) - done)
            log.info("%d of %d: %s %s%s", done, len(missing), each.name, "failed" if error else task.result(),
                     f"; about {duration(left)} left" if done < len(missing) else "")  # fmt: skip
    if failed:
        raise InputError(f"{len(failed)} of {len(missing)} runs failed: {', '.join(failed)}; give the command again")


@contextmanager
def ending_scripts(pool: ThreadPoolExecutor) -> Iterator[None]:
    """If the block is interrupted, ends the scripts that run, and starts no others."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        with STARTING:
            for process in RUNNING:
                process.terminate()
        raise


def make(study: Study, planned: PlannedRun, options: argparse.Namespace) -> str:
    """Brings a run to its end, from wherever an earlier call left it, and records it. Returns what it has reached."""
    place, records = options.output_dir / planned.name, options.records / planned.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not is_finished(place):
        resumed = ["--resume_from_checkpoint", "true"] if list(place.glob("checkpoint-*/trainer_state.json")) else []
        script(study, study.program, *planned.words, "--output_dir", str(place), *resumed, log_of=place)
    if not (place / study.split / "metrics.json").is_file():
        script(study, "inference.py", "--checkpoint", str(place), "--split", study.split, log_of=place)
    record(place, records)
    if not options.keep_checkpoints:
        drop_checkpoints(place)
    scores = recorded_scores(records, study.split)
    return f"has F1 {100 * scores['f1']['micro']:.1f} on {study.split}, after {duration(scores['seconds'])} of training"


def script(study: Study, name: str, *words: str, log_of: Path) -> None:
    """Runs a script of this repository; its output is added to a log. Raises `InputError`, naming it, if that fails."""
    path = log_of.with_name(f"{log_of.name}.log")
    environment = os.environ | {"OMP_NUM_THREADS": str(study.threads), "PYTHONPATH": str(ROOT)}
    with path.open("a", encoding="utf-8") as file:
        command = [sys.executable, str(ROOT / name), *words]
        with STARTING:  # else one that is being started would not be ended
            process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
            RUNNING.append(process)
        if process.wait():
            last = path.read_text(encoding="utf-8").strip().rpartition("\n")[2]
            raise InputError(f"{log_of.name}: {name} failed: {last}; see {path}")


def missing_runs(study: Study, options: argparse.Namespace) -> list[PlannedRun]:
    """The runs that have no record yet, of those that `--only` names, or of all."""
    names = [run.name for run in study.runs]
    for name in options.only:
        if name not in names:
            raise InputError(f"--only: found {name!r}; expected a run of the study, such as {names[0]}")
    wanted = [run for run in study.runs if run.name in (options.only or names)]
    return [run for run in wanted if not is_recorded(options.records / run.name, study.split)]


def duration(seconds: float) -> str:
    """A duration as in `1 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def report(study: Study, options: argparse.Namespace) -> None:
    """Compares the settings in each group of runs, and writes study.md and study.html to the study's folder."""
    from ner.study.class_map import class_map, record_parts
    from ner.study.report import compared, front_page  # matplotlib and Jinja take a while to import

    maps = {}
    if study.removable:
        for group in study.groups:
            record_parts(study, group, options.output_dir, options.records)
            maps[group] = class_map(study, group, options.records)
    results = {
        (group, name): compared(study, group, name, options.output_dir, options.records, options.split)
        for group in study.groups
        for name in study.comparisons
    }
    print(front_page(study, results, maps, options.output_dir, options.records, options.split), end="")
    log.info("wrote study.md and study.html in %s", options.output_dir)


def own_words(options: argparse.Namespace) -> list[str]:
    """The options that say what the study is and where, for another command about it."""
    words = [str(options.study)]
    for name in ("datasets", "encoders"):
        words += [f"--{name}", *getattr(options, name)] if getattr(options, name) else []
    for name in ("output_dir", "records"):
        words += [f"--{name}", str(getattr(options, name))] if getattr(options, f"given_{name}") else []
    return words + ["--keep_checkpoints"] * options.keep_checkpoints


def main(argv: list[str]) -> None:
    """Runs `plan`, `run` or `report` on a study. Raises `InputError` for a wrong study, and where runs failed."""
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=CommandParser)
    for name, command, about in (("plan", plan, "print the commands"), ("run", run, "make the runs"),
                                 ("report", report, "compare the runs")):  # fmt: skip
        sub = commands.add_parser(name, help=about, allow_abbrev=False)
        sub.set_defaults(carry_out=command)
        sub.add_argument("study", type=Path, metavar="STUDY.yaml")
        sub.add_argument("--datasets", nargs="+", metavar="DATA", help="instead of the study's")
        sub.add_argument("--encoders", nargs="+", metavar="CHECKPOINT", help="instead of the study's")
        sub.add_argument("--output_dir", type=Path, help="folder of the runs and reports (default: runs/NAME)")
        sub.add_argument("--records", type=Path, help="folder of the small records (default: OUTPUT_DIR/records)")
        sub.add_argument("--only", nargs="+", default=[], metavar="RUN", help="only these runs")
        sub.add_argument("--split", choices=SPLITS, help="the split that is compared (default: the study's)")
        sub.add_argument("--keep_checkpoints", action="store_true", help="keep the weights of the runs")
        sub.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time (default: one for each core)")
    options = parser.parse_args(argv)
    study = read_study(options.study, options.datasets, options.encoders)
    options.given_output_dir, options.given_records = options.output_dir is not None, options.records is not None
    options.output_dir = options.output_dir or Path("runs") / study.name
    options.records = options.records or options.output_dir / "records"
    options.split = options.split or study.split
    if options.jobs < 1:
        raise InputError(f"--jobs: found {options.jobs}; expected at least 1")
    options.carry_out(study, options)


if __name__ == "__main__":
    run_script(main)
