"""The experiments A and B, with and without up-sampling, and its controls, over several seeds: trained and compared.

    python -m benchmarks.experiment --dataset FOLDER --model_checkpoint PATH [--seeds 1 2 3 4 5] [-- TRAINING OPTIONS]

The runs are OUTPUT_DIR/NAME-SEED, one for each core at a time, with one thread each. What is finished is skipped and
what was interrupted is resumed, so the command can be given again at any time. `report.py` compares the experiments
with A, and up-sampling with its controls, both on the classes that all experiments share. RECORDS gets what the runs
and reports record, without a word of the data.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from ner.files import optional_json, write_json, write_text
from ner.runs.files import SPLITS, recorded_args
from ner.runs.folder import is_finished
from ner.runs.upload import without_local_paths

ROOT = Path(__file__).parent.parent
EXPERIMENTS = {
    "default": [],
    "masked": ["--masked_training", "true"],
    "default_upsampled": ["--upsample", "true"],
    "masked_upsampled": ["--masked_training", "true", "--upsample", "true"],
}
# What up-sampling does besides showing rare classes more often: it adds updates, and it repeats sentences. Each control
# makes as many updates as `default_upsampled`, whose number takes the place of UPDATES.
CONTROLS = {
    "default_longer": ["--max_steps", "UPDATES"],
    "default_random": ["--upsample", "true", "--upsample_at_random", "true"],
}
CONTROL_SEEDS = 3
# What a report says of the runs as a whole. The rest is about single sentences and errors.
RECORDED = ("classes", "support", "sentences", "clusters", "groups", "differing", "unrecorded")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--output_dir", type=Path, default=Path("runs/experiment"))
    parser.add_argument("--records", type=Path, help="folder for the small records; default: OUTPUT_DIR/records")
    parser.add_argument("training", nargs="*", help="more options of train.py, after --")
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    records = options.records or options.output_dir / "records"
    common = ["--dataset", options.dataset, "--model_checkpoint", options.model_checkpoint, *options.training]

    run_all(options.output_dir, EXPERIMENTS, options.seeds, common, records)
    shared = compare(options.output_dir, list(EXPERIMENTS), "report", records)["classes"]
    one = options.output_dir / f"default_upsampled-{options.seeds[0]}"
    updates = str(optional_json(one / "environment.json")["update_steps"])
    controls = {name: [updates if w == "UPDATES" else w for w in words] for name, words in CONTROLS.items()}
    run_all(options.output_dir, controls, options.seeds[:CONTROL_SEEDS], common, records)
    compare(options.output_dir, [*controls, "default_upsampled"], "controls", records, "--classes", *shared)
    print(f"the reports are in {options.output_dir}/report and {options.output_dir}/controls, the records in {records}")


def run_all(
    folder: Path, experiments: dict[str, list[str]], seeds: list[int], common: list[str], records: Path
) -> None:
    """Trains, scores and records each experiment with each seed, as many at a time as there are cores."""
    runs = {
        folder / f"{name}-{seed}": [*own, *common, "--seed", str(seed)]  # a config file comes first
        for seed in seeds
        for name, own in experiments.items()
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for run in pool.map(train_and_score, runs, runs.values()):
            record(run, records / run.name)
            print(f"{run}: finished", flush=True)


def compare(folder: Path, experiments: list[str], name: str, records: Path, *options: str) -> dict[str, Any]:
    """Compares all runs of some experiments with those of the first one, records the report, and returns it."""
    runs = [run for experiment in experiments for run in runs_of(folder, experiment)]
    command = [*map(str, runs), *options, "--output_dir", str(folder / name)]
    script("report.py", *command, log=folder / f"{name}.log")
    report = optional_json(folder / name / "report.json")
    write_json(records / f"{name}.json", {key: report[key] for key in RECORDED if key in report})
    return report


def runs_of(folder: Path, experiment: str) -> list[Path]:
    """The runs of an experiment, whatever their seeds."""
    return [run for run in sorted(folder.glob(f"{experiment}-*/")) if run.name.rpartition("-")[0] == experiment]


def train_and_score(run: Path, training: list[str]) -> Path:
    """Brings a run folder to its end, from wherever an earlier call left it."""
    log = run.with_name(f"{run.name}.log")
    if not is_finished(run):
        resumed = ["--resume_from_checkpoint", "true"] if list(run.glob("checkpoint-*/trainer_state.json")) else []
        script("train.py", *training, "--output_dir", str(run), "--save_total_limit", "1", *resumed, log=log)
    if not (run / "test" / "metrics.json").exists():
        script("inference.py", "--checkpoint", str(run), log=log)
    return run


def script(name: str, *words: str, log: Path) -> None:
    """Runs a command of this repository. Its output is added to a file, which an error names."""
    in_one_thread(str(ROOT / name), *words, log=log)


def in_one_thread(*words: str, log: Path) -> None:
    """Runs Python with one thread. Its output is added to a file, which an error names."""
    with log.open("a", encoding="utf-8") as file:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        if subprocess.run([sys.executable, *words], stdout=file, stderr=file, env=environment, check=False).returncode:
            raise SystemExit(f"{' '.join(words[:2])} failed: see {log}")


def record(run: Path, folder: Path) -> None:
    """Writes what a run folder records into another folder, without local paths and without the data's text."""
    for split in SPLITS:
        (folder / split).mkdir(parents=True, exist_ok=True)
        write_json(folder / split / "metrics.json", optional_json(run / split / "metrics.json"))
    write_text(folder / "args.yaml", yaml.safe_dump(without_local_paths(recorded_args(run)), sort_keys=False))
    write_json(folder / "environment.json", without_local_paths(optional_json(run / "environment.json")))


if __name__ == "__main__":
    main()
