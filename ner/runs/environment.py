"""Where a run was made: versions, hardware and the commit of this repository, for `environment.json`."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ner.files import ROOT

PACKAGES = ("torch", "transformers", "datasets", "evaluate", "accelerate", "tokenizers", "numpy")


def environment(device: Any) -> dict[str, Any]:
    """Versions, hardware and git commit of this process, which computes on a `torch.device`."""
    import torch  # here, because it takes seconds to load, and a model card needs none of it

    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": cpu_name(),
        "threads": torch.get_num_threads(),
        "accelerators": [] if device.type == "cpu" else [accelerator],
        "git_commit": git_commit(),
    }


def cpu_name() -> str:
    """The CPU's model name; where Linux does not tell it, what `platform` knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def git_commit() -> str | None:
    """The commit of this repository, `-dirty` where tracked files differ from it; None outside git."""
    describe = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *describe], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
