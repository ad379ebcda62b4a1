"""Time and memory of a full report over four runs of MultiNERD's test size.

    python -m benchmarks.report_size RUN

The predictions of RUN are repeated until there are 16,454 sentences. Each sentence is made distinct, and each run
has its own noise.
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

ROOT = Path(__file__).parent.parent
SENTENCES = 16_454


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    source = parser.parse_args().run / "test" / "predictions.jsonl"
    rows = [json.loads(line) for line in source.open(encoding="utf-8")]
    tags = sorted({tag for row in rows for tag in row["gold"]})
    with tempfile.TemporaryDirectory() as temporary:
        folders = []
        for number in range(4):
            folder, rng = Path(temporary) / f"run{number}" / "test", random.Random(number)
            folder.mkdir(parents=True)
            folders.append(str(folder.parent))
            with open(folder / "predictions.jsonl", "w", encoding="utf-8") as file:
                for i in range(SENTENCES):
                    row = rows[i % len(rows)]
                    tokens = [f"{row['tokens'][0]}{i}", *row["tokens"][1:]]
                    predicted = [rng.choice(tags) if rng.random() < 0.02 else tag for tag in row["predicted"]]
                    file.write(json.dumps(row | {"id": i, "tokens": tokens, "predicted": predicted}) + "\n")
        start = time.perf_counter()
        command = [sys.executable, str(ROOT / "report.py"), *folders, "--output_dir", f"{temporary}/report"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        size = (Path(temporary) / "report" / "report.html").stat().st_size
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"four runs of {SENTENCES:,} sentences: {seconds:.1f} s, {memory:,.0f} MiB, report.html {size / 2**20:.1f} MiB"
    )


if __name__ == "__main__":
    main()
