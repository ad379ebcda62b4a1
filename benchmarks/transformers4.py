"""Do the checkpoints of this project load in version 4 of transformers, and split text alike?

    python -m benchmarks.transformers4 RUN [RUN ...]

A virtual environment is made in a temporary folder, with transformers 4 and torch from PyPI. There, `AutoTokenizer` and
`pipeline` load each run, and tokenize and tag some sentences. The sub-tokens and tags must equal those of the installed
version. The exit status is 1 if they do not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

VERSIONS = ("transformers<5", "torch==2.13.0")
LOADED = """
import json, sys
from transformers import AutoTokenizer, __version__, pipeline

SENTENCES = [
    "In 1998 Ada Moss left Bergen for NATO , and the grey wolf had rabies .",
    "iPhone McDonald's U.S. (Größe) naïve \u5317\u4eac x-Ray 1,000",
    "said [title] and [MASK] <s> </s>",
]
found = {}
for run in sys.argv[1:]:
    try:
        tokenizer = AutoTokenizer.from_pretrained(run)
        texts = [tokenizer(text)["input_ids"] for text in SENTENCES]
        words = tokenizer([text.split() for text in SENTENCES], is_split_into_words=True)["input_ids"]
        tagged = pipeline("token-classification", run, tokenizer=tokenizer, device="cpu")(SENTENCES[0])
        tags = [(each["entity"], each["start"], round(float(each["score"]), 3)) for each in tagged]
        found[run] = {"class": type(tokenizer).__name__, "same": [texts, words, tags]}
    except Exception as error:
        found[run] = {"class": f"{type(error).__name__}: {error}", "same": None}
print(json.dumps({"version": __version__, "runs": found}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    runs = [str(run.resolve()) for run in parser.parse_args().runs]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *VERSIONS], check=True)
        here, there = loaded(sys.executable, runs), loaded(python, runs)
    alike = True
    for run in runs:
        first, second = here["runs"][run], there["runs"][run]
        same = first["same"] is not None and first["same"] == second["same"]
        alike &= same
        print(f"{run}: {first['class']} in {here['version']}, {second['class']} in {there['version']}: "
              f"{'alike' if same else 'DIFFERENT'}")  # fmt: skip
    sys.exit(not alike)


def loaded(python: str, runs: list[str]) -> dict:
    """The sub-tokens and tags of the runs, with the transformers that a Python interpreter has."""
    command = [python, "-c", LOADED, *runs]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
