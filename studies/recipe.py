"""The plain recipe and configs/recommended.yaml on several corpora: trained over seeds, scored and compared.

    python -m studies.recipe --datasets FOLDER FOLDER --model_checkpoint PATH [--seeds 11 12 13 14 15]

The plain recipe is what scripts for token classification usually do: random batches of 16, float32, three epochs of a
linear schedule, and the best label of each word by itself. Each of its learning rates is a recipe of its own. The runs
are OUTPUT_DIR/CORPUS/RECIPE-SEED, one for each core at a time, with one thread each. What is finished is skipped, so
the command can be given again at any time. RECORDS gets what the runs and reports record.
"""

import argparse
from pathlib import Path

from benchmarks.experiment import compare, run_all

PLAIN = (
    "--per_device_train_batch_size 16 --train_sampling_strategy random --bf16 false --num_train_epochs 3 "
    "--constrained_decoding false --eval_strategy no --save_strategy no --load_best_model_at_end false"
)
RECIPES = {
    "plain_2e-4": [*PLAIN.split(), "--learning_rate", "2e-4"],
    "plain_3e-4": [*PLAIN.split(), "--learning_rate", "3e-4"],
    "recommended": ["configs/recommended.yaml"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, nargs="+", required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--output_dir", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--records", type=Path, default=Path("runs/recipe/records"))
    options = parser.parse_args()
    for dataset in options.datasets:
        folder = options.output_dir / dataset.name
        folder.mkdir(parents=True, exist_ok=True)
        common = ["--dataset", str(dataset), "--model_checkpoint", options.model_checkpoint, "--disable_tqdm", "true"]
        recipes = {name: RECIPES[name] for name in options.recipes}
        run_all(folder, recipes, options.seeds, common)
        compare(folder, options.recipes, "report", options.records / dataset.name)


if __name__ == "__main__":
    main()
