"""How long a person waits for an answer: a mistake, the help, a tagged sentence, a report.

    python -m benchmarks.startup RUN [--rounds 5]

RUN is a finished and scored run. Each command is a process of its own, and the commands take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from ner.files import ROOT

PLAIN = """
from transformers import pipeline
print(pipeline("token-classification", {run!r})("Rabies kills bats."))
"""


def main() -> None:
    """Prints the median and the range of each command's seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    run = os.path.abspath(options.run)
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "a mistyped option": ["train.py", "--learnin_rate", "1e-4"],
            "a mistyped config file": ["train.py", "confgs/quickstart.yaml"],
            "a mistyped data set": ["data.py", "--dataset", "./nothing"],
            "a mistyped checkpoint": ["inference.py", "--checkpoint", "./nothing"],
            "a mistyped run": ["report.py", "./nothing"],
            "`train.py --help`": ["train.py", "--help"],
            "`inference.py --text`": ["inference.py", "--checkpoint", run, "--text", "Rabies kills bats."],
            "the same with transformers' pipeline alone": ["-c", PLAIN.format(run=run)],
            "`report.py` on one run": ["report.py", run, "--output_dir", folder],
            "`hub.py card`": ["hub.py", "card", run],
        }
        seconds: dict[str, list[float]] = {what: [] for what in commands}
        for _ in range(options.rounds):
            for what, words in commands.items():
                begun = time.perf_counter()
                done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
                seconds[what].append(time.perf_counter() - begun)
                if done.returncode != (2 if "mistyped" in what else 0):
                    raise SystemExit(f"{what}: {done.stderr}")
    print("| what | seconds, median | lowest to highest |\n|---|---|---|")
    for what, each in seconds.items():
        print(f"| {what} | {statistics.median(each):.2f} | {min(each):.2f} to {max(each):.2f} |")


if __name__ == "__main__":
    main()
