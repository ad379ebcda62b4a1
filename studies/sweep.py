"""What each measure does to the validation scores: trained over seeds, compared with the training without it.

    python -m studies.sweep [NAME ...] --dataset FOLDER --model_checkpoint PATH [--seeds 1 2 3] [--records FILE]

NAME is one of `SETTINGS`; without any, all are trained. `base` always is. The runs are OUTPUT_DIR/NAME-SEED, one for
each core at a time, with one thread each. What is finished is skipped, so the command can be given again at any time.
FILE gets their scores, and the table is printed from it. The test split is not looked at.
"""

import argparse
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.experiment import in_one_thread, runs_of
from benchmarks.tables import table
from ner.files import optional_json, write_json
from ner.runs.folder import is_finished

COMMON = "--per_device_train_batch_size 32 --eval_strategy no --save_strategy no --load_best_model_at_end false"
BASE = "--num_train_epochs 3 --learning_rate 3e-4"
SETTINGS = {
    "base": BASE,
    # the time that fast training leaves
    "longer": "--num_train_epochs 6 --learning_rate 3e-4",
    "warm_up": "--num_train_epochs 3 --learning_rate 5e-4 --warmup_steps 0.1",
    "head_rate": f"--head_rate 10 {BASE}",
    "layer_decay": f"--layer_decay 0.9 {BASE}",
    # the mean of weights: of the last updates, of cycles, of trainings from the same start
    "average": f"--average 0.5 {BASE}",
    "average_constant": "--average 0.5 --num_train_epochs 4 --learning_rate 3e-4 --lr_scheduler_type constant",
    "cycles": "--cycles 3 --num_train_epochs 6 --learning_rate 3e-4",
    "soup_word_dropout": "--soup_members 3 --word_dropout 0.1 --num_train_epochs 9 --learning_rate 3e-4",
    "soup_of_two": "--soup_members 2 --word_dropout 0.1 --num_train_epochs 8 --learning_rate 3e-4",
    # against learning the training sentences by heart
    "smoothing": f"--label_smoothing_factor 0.1 {BASE}",
    "word_dropout": f"--word_dropout 0.1 {BASE}",
    "word_dropout_longer": "--word_dropout 0.15 --num_train_epochs 6 --learning_rate 3e-4",
    # training what scoring counts
    "crf": f"--crf_loss true {BASE}",
    "all_sub_tokens": f"--all_sub_tokens {BASE}",
    # what an uncased tokenizer hides, by itself and with the others that paid
    "case_markers": f"--case_markers true {BASE}",
    "case_word_dropout": f"--case_markers true --word_dropout 0.1 {BASE}",
    "case_crf_word_dropout": f"--case_markers true --crf_loss true --word_dropout 0.1 {BASE}",
    "case_crf_longer": "--case_markers true --crf_loss true --word_dropout 0.1 --num_train_epochs 5 "
    "--learning_rate 3e-4",
    "case_crf": f"--case_markers true --crf_loss true {BASE}",
    "case_soup_of_two": "--case_markers true --soup_members 2 --word_dropout 0.1 --num_train_epochs 8 "
    "--learning_rate 3e-4",
    # rare classes
    "focal": f"--loss focal {BASE}",
    "weighted": f"--loss weighted --strength 5 {BASE}",
    "adjusted": f"--loss adjusted --strength 0.25 {BASE}",
    "upsampled": f"--upsample true --max_steps 1212 {BASE}",
    "sCR": f"--repeat sCR --max_steps 1212 {BASE}",
    "nsCRD": f"--repeat nsCRD --max_steps 1212 {BASE}",
    # after the runs of `base`, whose place takes that of OUTPUT_DIR
    "distilled": f"{BASE} --teachers OUTPUT_DIR/base-1 OUTPUT_DIR/base-2 OUTPUT_DIR/base-3",
}
TITLES = ("micro", "ANIM", "DIS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output_dir", type=Path, default=Path("runs/sweep"))
    parser.add_argument("--records", type=Path, default=Path("runs/sweep/scores.json"))
    parser.add_argument("names", nargs="*", choices=[[], *SETTINGS], metavar="NAME")
    options = parser.parse_args()
    for folder in (options.output_dir, options.records.parent):
        folder.mkdir(parents=True, exist_ok=True)

    def run(name: str, seed: int) -> None:
        place = options.output_dir / f"{name}-{seed}"
        if not is_finished(place):
            words = ["--dataset", options.dataset, "--model_checkpoint", options.model_checkpoint, "--seed", str(seed),
                     "--output_dir", str(place), *COMMON.split()]  # fmt: skip
            own = SETTINGS[name].replace("OUTPUT_DIR", str(options.output_dir)).split()
            in_one_thread("-m", "studies.levers", *words, *own, log=place.with_suffix(".log"))

    runs = [(name, seed) for name in dict.fromkeys(["base", *(options.names or SETTINGS)]) for seed in options.seeds]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, *zip(*runs, strict=True)))
    scores = optional_json(options.records) or {}
    for name in SETTINGS:
        trained = [place for place in runs_of(options.output_dir, name) if is_finished(place)]
        seeds = {place.name.rpartition("-")[2]: scores_of(place) for place in trained}
        if seeds:
            scores[name] = {"options": f"{COMMON} {SETTINGS[name]}", "seeds": seeds}
    write_json(options.records, scores)
    print(comparison(scores))


def scores_of(run: Path, split: str = "validation") -> dict[str, Any]:
    """The F1 of a split, overall and for each class, and the number of updates."""
    metrics = optional_json(run / split / "metrics.json")
    classes = {c: scores["f1"] for c, scores in metrics["per_class"].items() if scores}  # without gold entities: None
    f1 = {"micro": metrics["overall"]["f1"]} | classes
    return {"updates": optional_json(run / "environment.json")["update_steps"], "f1": f1}


def comparison(scores: dict[str, Any]) -> str:
    """A table of mean F1 in percent, and the difference to the first setting with its standard error over seeds."""
    titles = [title for title in TITLES if all(title in s["f1"] for s in scores["base"]["seeds"].values())]
    deviations = {title: pooled_deviation([percent(setting, title) for setting in scores.values()]) for title in titles}
    rows = []
    for name, setting in scores.items():
        seeds = list(setting["seeds"].values())
        row = [name, str(len(seeds)), f"{statistics.mean(seed['updates'] for seed in seeds):,.0f}"]
        for title, deviation in deviations.items():
            own, first = (percent(s, title) for s in (setting, scores["base"]))
            row.append(f"{statistics.mean(own):.1f}")
            if name != "base" and deviation:
                error = deviation * (1 / len(own) + 1 / len(first)) ** 0.5
                row[-1] += f" ({statistics.mean(own) - statistics.mean(first):+.1f} ± {error:.1f})"
        rows.append(row)
    return table(["setting", "seeds", "updates", *titles], rows)


def pooled_deviation(groups: list[list[float]]) -> float:
    """The standard deviation over seeds, from all settings together, because a single one has few seeds; 0 where none
    has two."""
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in groups if len(group) > 1)
    return (squares / max(1, sum(len(group) - 1 for group in groups))) ** 0.5


def percent(setting: dict[str, Any], title: str) -> list[float]:
    """A setting's F1 in percent, a number for each seed."""
    return [100 * seed["f1"][title] for seed in setting["seeds"].values()]


if __name__ == "__main__":
    main()
