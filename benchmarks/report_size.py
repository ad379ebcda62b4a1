"""Time and memory of a full report over runs of many sentences.

    python -m benchmarks.report_size RUN
    python -m benchmarks.report_size RUN --runs 2 --sentences 150000 --languages 10

The predictions of RUN are repeated until there are enough sentences. Each sentence is made distinct, and each run has
its own noise. Without --languages, each sentence keeps its language.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ner.files import ROOT

NOISE = 0.02  # share of the predicted tags that are replaced by random ones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--sentences", type=int, default=16_454, help="of each run (default: MultiNERD's test size)")
    parser.add_argument("--languages", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = write_runs(options.run, Path(temporary), options.runs, options.sentences, options.languages)
        start = time.perf_counter()
        command = [sys.executable, str(ROOT / "report.py"), *folders, "--output_dir", f"{temporary}/report"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        size = (Path(temporary) / "report" / "report.html").stat().st_size
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{options.runs} runs of {options.sentences:,} sentences: {seconds:.1f} s, {memory:,.0f} MiB, "
        f"report.html {size / 2**20:.1f} MiB"
    )


def write_runs(source: Path, folder: Path, runs: int, sentences: int, languages: int | None) -> list[str]:
    """Writes noisy copies of a scored run, of `sentences` distinct sentences each, and returns their folders.

    The sentences of the first of several languages come first, as in a split.
    """
    with open(source / "test" / "predictions.jsonl", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["tokens"]]
    tags = sorted({tag for row in rows for tag in row["gold"]})
    folders = []
    for number in range(runs):
        test, rng = folder / f"run{number}" / "test", random.Random(number)
        test.mkdir(parents=True)
        folders.append(str(test.parent))
        with open(test / "predictions.jsonl", "w", encoding="utf-8") as file:
            for i in range(sentences):
                row = rows[i % len(rows)]
                lang = f"l{i * languages // sentences}" if languages else row.get("lang", "")
                tokens = [f"{row['tokens'][0]}{i}", *row["tokens"][1:]]
                predicted = [rng.choice(tags) if rng.random() < NOISE else tag for tag in row["predicted"]]
                new = row | {"id": i, "lang": lang, "tokens": tokens, "predicted": predicted}
                file.write(json.dumps(new) + "\n")
    return folders


if __name__ == "__main__":
    main()
