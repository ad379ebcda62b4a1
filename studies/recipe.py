"""The plain recipe and configs/recommended.yaml on several corpora: trained over seeds, scored and compared.

    python -m studies.recipe --datasets FOLDER FOLDER --model_checkpoint PATH [--seeds 11 12 13 14 15]
    python -m studies.recipe --records RECORDS

The plain recipe is what scripts for token classification usually do: random batches of 16, float32, three epochs of a
linear schedule, and the best label of each word by itself. Each of its learning rates is a recipe of its own. The runs
are OUTPUT_DIR/CORPUS/RECIPE-SEED, one for each core at a time, with one thread each. What is finished is skipped, so
the command can be given again at any time. RECORDS gets what the runs and reports record. The tables are printed from
it; without corpora, nothing is trained.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from benchmarks.experiment import compare, run_all, runs_of
from benchmarks.tables import table
from ner.files import optional_json
from studies.sweep import TITLES, scores_of

PLAIN = (
    "--per_device_train_batch_size 16 --train_sampling_strategy random --bf16 false --num_train_epochs 3 "
    "--constrained_decoding false --eval_strategy no --save_strategy no --load_best_model_at_end false"
)
RECIPES = {
    "plain_2e-4": [*PLAIN.split(), "--learning_rate", "2e-4"],
    "plain_3e-4": [*PLAIN.split(), "--learning_rate", "3e-4"],
    "recommended": ["configs/recommended.yaml"],
}
REPORTS = {"validation": "validation", "test": "report"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, nargs="+", default=[])
    parser.add_argument("--model_checkpoint")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--output_dir", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--records", type=Path, default=Path("runs/recipe/records"))
    options = parser.parse_args()
    for dataset in options.datasets:
        folder, records = options.output_dir / dataset.name, options.records / dataset.name
        folder.mkdir(parents=True, exist_ok=True)
        common = ["--dataset", str(dataset), "--model_checkpoint", options.model_checkpoint, "--disable_tqdm", "true"]
        run_all(folder, {name: RECIPES[name] for name in options.recipes}, options.seeds, common, records)
        compare(folder, options.recipes, REPORTS["test"], records)
        compare(on_validation(folder), options.recipes, REPORTS["validation"], records)
    print_tables([folder for folder in sorted(options.records.glob("*/")) if (folder / "report.json").exists()])


def on_validation(folder: Path) -> Path:
    """Links to the runs, in which validation takes the place of the test split, since a report compares the latter."""
    for run in [run for name in RECIPES for run in runs_of(folder, name)]:
        place = folder / "on_validation" / run.name
        place.mkdir(parents=True, exist_ok=True)
        for file in [*run.glob("*.*"), run / "validation"]:
            link = place / (file.name if file.suffix else "test")
            link.unlink(missing_ok=True)
            link.symlink_to(file.resolve())
    return folder / "on_validation"


def print_tables(corpora: list[Path]) -> None:
    """For each split: F1 in percent for each corpus and recipe, and how far it is from the corpus's first recipe."""
    for split, name in REPORTS.items():
        rows, gains = [], []
        for records in corpora:
            groups = optional_json(records / f"{name}.json")["groups"]
            rows += [[records.name, *row(group, records, split)] for group in groups]
            if difference := groups[-1].get("difference"):
                gains.append(difference["micro"]["difference"])
        print(f"{split}:\n\n" + table(["corpus", "recipe", "seeds", "updates", "seconds", *TITLES], rows) + "\n")
        if gains:
            print(f"mean difference of the last recipes in micro F1: {100 * statistics.mean(gains):+.1f}\n")


def row(group: dict[str, Any], records: Path, split: str) -> list[str]:
    """A recipe's cells; the seconds are the mean of its trainings, and the brackets hold the 95 % interval."""
    runs = [records / run for run in group["runs"]]
    scores = [scores_of(run, split) for run in runs]
    updates = statistics.mean(each["updates"] for each in scores)
    seconds = statistics.mean(optional_json(run / "environment.json")["train_seconds"] for run in runs)
    cells = []
    for title in TITLES:
        known = title in scores[0]["f1"]
        cells.append(f"{100 * statistics.mean(each['f1'][title] for each in scores):.1f}" if known else "")
        if known and (difference := (group.get("difference") or {}).get(title)):
            cells[-1] += f" ({100 * difference['difference']:+.1f}"
            if difference["low"] is not None:  # as with one seed
                cells[-1] += f", {100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}"
            cells[-1] += ")"
    return [runs[0].name.rpartition("-")[0], str(len(runs)), f"{updates:,.0f}", f"{seconds:,.0f}", *cells]


if __name__ == "__main__":
    main()
