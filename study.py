"""Many runs for one question: plan, train and compare them.

    python study.py plan   studies/masking.yaml              # the commands, one a line
    python study.py run    studies/masking.yaml [--jobs 2]   # trains and scores those that are not finished
    python study.py report studies/masking.yaml              # writes study.md and study.html

docs/study.md says what a study file has.
"""

import argparse
import logging
import shlex
import statistics
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from math import ceil
from pathlib import Path

from ner.errors import CommandParser, InputError, run_script
from ner.runs.files import SPLITS
from ner.study.plan import PlannedRun, Study, read_study, what_runs_find
from ner.study.records import is_recorded, observed_spread, recorded_scores, warn_of_other_options
from ner.study.running import RUNNING, STOPPED, duration, make, ray_submit, usual_jobs

log = logging.getLogger("ner")


def plan(study: Study, options: argparse.Namespace) -> None:
    """Prints a command for each run that is not finished, and on standard error what these runs will take, and what all
    runs of the study will detect.
    """
    wanted = wanted_runs(study, options)
    missing = [run for run in wanted if not is_recorded(study, run)]
    for run in missing:
        print(shlex.join(["python", "study.py", "run", *options.words, "--only", run.name]))
    count = len({run.group for run in wanted})
    groups = f"; they are in {count} groups of a data set and an encoder" if count > 1 else ""
    log.info("%d of %d runs are finished%s", len(wanted) - len(missing), len(wanted), groups)
    found = [recorded_scores(study, run) for run in study.runs if is_recorded(study, run)]
    if missing and (known := [each["seconds"] for each in found if each["seconds"] is not None]):
        seconds = statistics.mean(known)
        log.info("a finished training took %s on average; the others: about %s of computing", duration(seconds),
                 duration(seconds * len(missing)))  # fmt: skip
    for group in study.groups:
        own = replace(study, runs=[run for run in study.runs if run.group == group])
        for line in what_runs_find(own, observed_spread(own) or study.spread):
            log.info("%s%s", f"{group}: " if group else "", line)


def run(study: Study, options: argparse.Namespace) -> None:
    """Trains and scores the runs that are not finished, `--jobs` at a time. Raises `InputError` if some failed."""
    missing = [run for run in wanted_runs(study, options) if not is_recorded(study, run)]
    failed, begun = [], time.monotonic()
    if not missing:
        log.info("nothing to do: the runs are finished")
        return
    STOPPED.clear()
    from ner.study.class_map import record_parts

    is_local = options.engine == "local"
    jobs = (options.jobs or usual_jobs(study.threads)) if is_local else 1
    pool = ThreadPoolExecutor(jobs)
    submit = pool.submit if is_local else ray_submit(study.threads)
    try:
        tasks = {submit(make, study, each, options.keep_checkpoints): each for each in missing}
        for done, task in enumerate(as_completed(tasks), 1):
            each, error = tasks[task], task.exception()
            error = getattr(error, "cause", error)  # Ray's exceptions wrap those of the run
            if isinstance(error, InputError | OSError):  # OSError: as on a full disk
                failed.append(each.name)
                log.error("%s", error)
            elif error:
                raise error
            elif study.removable:
                record_parts(study, each.group)
            rounds = ceil(done / jobs)  # those of a round end at about the same time
            left = (time.monotonic() - begun) / rounds * (ceil(len(missing) / jobs) - rounds)
            log.info("%d of %d: %s %s%s", done, len(missing), each.name, "failed" if error else task.result(),
                     f"; about {duration(left)} left" if left else "")  # fmt: skip
    except BaseException:  # an interrupt ends the scripts, and no others are started
        STOPPED.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in RUNNING:
            process.terminate()
        raise
    if failed:
        raise InputError(
            f"{len(failed)} of {len(missing)} runs failed: {', '.join(failed)}; fix the cause, and run the "
            "command again"
        )


def wanted_runs(study: Study, options: argparse.Namespace) -> list[PlannedRun]:
    """The runs that `--only` names, or all. Warns of finished runs with other options."""
    warn_of_other_options(study)
    names = [run.name for run in study.runs]
    for name in options.only:
        if name not in names:
            raise InputError(f"--only: found {name!r}; expected a run of the study, such as {names[0]}")
    return [run for run in study.runs if run.name in (options.only or names)]


def report(study: Study, options: argparse.Namespace) -> None:
    """Compares the settings in each group of runs, and writes study.md and study.html to the study's folder."""
    if not any(is_recorded(study, run) for run in study.runs):
        raise InputError(
            f"{study.records}: found no finished run that was scored on {study.split}; train some with study.py run, "
            "or name the folders of your finished runs: --output_dir, --records"
        )
    if options.datasets or options.encoders:  # else a record's data set may only be elsewhere than the study's
        warn_of_other_options(study)
    from ner.study.report import front_page  # matplotlib and Jinja take a while to import

    print(front_page(study), end="")
    log.info("wrote study.md and study.html in %s", study.output_dir)


def main(argv: list[str]) -> None:
    """Runs `plan`, `run` or `report` on a study. Raises `InputError` for a wrong study, and where runs failed."""
    parser = CommandParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    only = CommandParser(add_help=False)
    only.add_argument("--only", nargs="+", default=[], metavar="RUN", help="only these runs")
    for name, command, about in (("plan", plan, "print the commands"), ("run", run, "train and score the runs"),
                                 ("report", report, "compare the runs")):  # fmt: skip
        sub = commands.add_parser(name, help=about, parents=[only] if name != "report" else [])
        sub.set_defaults(carry_out=command)
        sub.add_argument("study", type=Path, metavar="STUDY.yaml")
        sub.add_argument("--datasets", nargs="+", metavar="DATA", help="instead of the study's")
        sub.add_argument("--encoders", nargs="+", metavar="CHECKPOINT", help="instead of the study's")
        sub.add_argument("--output_dir", type=Path, help="folder of the runs and reports (default: runs/NAME)")
        sub.add_argument("--records", type=Path, help="folder of the small records (default: OUTPUT_DIR/records)")
        if name == "report":
            sub.add_argument("--split", choices=SPLITS, help="the split that is compared (default: the study's)")
            continue
        sub.add_argument("--keep_checkpoints", action="store_true", help="keep the weights of the runs")
        sub.add_argument("--jobs", type=int, help="runs at a time (default: one on a GPU, else what the cores allow)")
        sub.add_argument("--engine", choices=("local", "ray"), default="local", help="what runs the trainings")
    options = parser.parse_args(argv)
    _, options.words = only.parse_known_args(argv[1:])  # each command of a plan has an `--only` of its own
    study = read_study(options.study, options.datasets, options.encoders, options.output_dir, options.records)
    if options.command == "report" and options.split not in (None, study.split):
        if study.removable:
            raise InputError(f"--split: found {options.split}; a map is that of the study's split, {study.split}")
        own = {f"{name}_{options.split}": settings for name, settings in study.comparisons.items()}
        study = replace(study, split=options.split, comparisons=own)  # beside those on the study's split
    if options.command == "run" and options.jobs is not None and (options.jobs < 1 or options.engine == "ray"):
        raise InputError(
            f"--jobs: found {options.jobs}; expected 1 or more, and with Ray no --jobs: its cluster decides"
        )
    options.carry_out(study, options)


if __name__ == "__main__":
    run_script(main)
