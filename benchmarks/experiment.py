"""The experiments A and B, with and without up-sampling, over several seeds: trained, scored and compared.

    python -m benchmarks.experiment --dataset FOLDER --model_checkpoint PATH [--seeds 1 2 3 4 5] [-- TRAINING OPTIONS]

The runs are OUTPUT_DIR/NAME-SEED, one for each core at a time, with one thread each. What is finished is skipped and
what was interrupted is resumed, so the command can be given again at any time. At the end, `report.py` compares all
runs, and RECORDS gets what the runs and the report record, without a word of the data.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from ner.runs.files import SPLITS, optional_json, recorded_args, write_json
from ner.runs.upload import public_args, without_absolute_paths
from ner.writing import write_text

ROOT = Path(__file__).parent.parent
EXPERIMENTS = {
    "default": [],
    "masked": ["--masked_training", "true"],
    "default_upsampled": ["--upsample", "true"],
    "masked_upsampled": ["--masked_training", "true", "--upsample", "true"],
}
# What a report says of the runs as a whole. The rest is about single sentences and errors.
RECORDED = ("classes", "support", "sentences", "clusters", "groups", "differing", "agreeing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--output_dir", type=Path, default=Path("runs/experiment"))
    parser.add_argument("--records", type=Path, help="folder for the small records; default: OUTPUT_DIR/records")
    parser.add_argument("training", nargs="*", help="more options of train.py, after --")
    options = parser.parse_args()
    common = ["--dataset", options.dataset, "--model_checkpoint", options.model_checkpoint, *options.training]
    names = [(name, seed) for seed in options.seeds for name in EXPERIMENTS]
    runs = {options.output_dir / f"{name}-{seed}": [*common, *EXPERIMENTS[name], "--seed", str(seed)]
            for name, seed in names}  # fmt: skip
    options.output_dir.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for run in pool.map(train_and_score, runs, runs.values()):
            print(f"{run}: finished", flush=True)
    in_order = [str(options.output_dir / f"{name}-{seed}") for name in EXPERIMENTS for seed in options.seeds]
    report = options.output_dir / "report"
    script("report.py", *in_order, "--output_dir", str(report), log=options.output_dir / "report.log")
    records = options.records or options.output_dir / "records"
    for run in runs:
        record(run, records / run.name)
    compared = optional_json(report / "report.json")
    write_json(records / "report.json", {name: compared[name] for name in RECORDED if name in compared})
    print(f"the report is in {report}, the records are in {records}")


def train_and_score(run: Path, training: list[str]) -> Path:
    """Brings a run folder to its end, from wherever an earlier call left it."""
    log = run.with_name(f"{run.name}.log")
    if not (run / "README.md").exists():  # the model card is the last file of a training
        resumed = ["--resume_from_checkpoint", "true"] if list(run.glob("checkpoint-*/trainer_state.json")) else []
        script("train.py", *training, "--output_dir", str(run), "--save_total_limit", "1", *resumed, log=log)
    if not (run / "test" / "metrics.json").exists():
        script("inference.py", "--checkpoint", str(run), log=log)
    return run


def script(name: str, *words: str, log: Path) -> None:
    """Runs a command of this repository with one thread. Its output is added to a file, which an error names."""
    with log.open("a", encoding="utf-8") as file:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(ROOT / name), *words]
        if subprocess.run(command, stdout=file, stderr=file, env=environment, check=False).returncode:
            raise SystemExit(f"{name} failed: see {log}")


def record(run: Path, folder: Path) -> None:
    """Writes what a run folder records into another folder, without local paths and without the data's text."""
    for split in SPLITS:
        (folder / split).mkdir(parents=True, exist_ok=True)
        write_json(folder / split / "metrics.json", optional_json(run / split / "metrics.json"))
    write_text(folder / "args.yaml", yaml.safe_dump(public_args(recorded_args(run)), sort_keys=False))
    write_json(folder / "environment.json", without_absolute_paths(optional_json(run / "environment.json")))


if __name__ == "__main__":
    main()
