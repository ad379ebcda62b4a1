"""The making of a study's runs by the scripts of this repository."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from ner.errors import InputError
from ner.files import ROOT, optional_record
from ner.runs.files import METRICS
from ner.runs.folder import is_finished, whole_checkpoints
from ner.study.plan import PlannedRun, Study
from ner.study.records import drop_checkpoints, record, recorded_scores

SCORING = ("per_device_eval_batch_size", "use_cpu")  # options of a run that its scoring takes too
RUNNING: list[subprocess.Popen] = []  # the scripts that were started
STOPPED = threading.Event()  # those that are started from now on are ended at once


def make(study: Study, planned: PlannedRun, keep_checkpoints: bool) -> str:
    """Brings a run to its end, from wherever an earlier call left it, and records it. Returns what it has reached.

    Raises `InputError` if a script fails.
    """
    place = study.output_dir / planned.name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not is_finished(place):
        resumed = ["--resume_from_checkpoint", "true"] if whole_checkpoints(place) else []
        script(study, study.program, *planned.words, "--output_dir", str(place), *resumed, log_of=place)
    if not (place / study.split / METRICS).is_file():
        args = optional_record(place / "args.yaml")
        own = [f"--{name}={args[name]}" for name in SCORING if name in args]
        script(study, "inference.py", "--checkpoint", str(place), "--split", study.split, *own, log_of=place)
    if not keep_checkpoints:
        drop_checkpoints(place)  # before the record: a run that has one is not looked at again
    record(place, study.records / planned.name)
    scores = recorded_scores(study, planned)
    after = f", after {duration(scores['seconds'])} of training" if scores["seconds"] is not None else ""
    return f"has F1 {100 * scores['f1']['micro']:.1f} on {study.split}{after}"


def script(study: Study, name: str, *words: str, log_of: Path) -> None:
    """Runs a script of this repository; its output is added to a log. Raises `InputError`, naming it, if that fails."""
    path = log_of.with_name(f"{log_of.name}.log")
    environment = os.environ | {"OMP_NUM_THREADS": str(study.threads), "PYTHONPATH": python_path()}
    with path.open("a", encoding="utf-8") as file:
        command = [sys.executable, str(ROOT / name), *words]
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        RUNNING.append(process)
        if STOPPED.is_set():  # only now: until a script is among those that are running, the study cannot end it
            process.terminate()
        if status := process.wait():
            last = path.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            raise InputError(f"{log_of.name}: {name} failed (status {status}): {last}; see {path}")


def python_path() -> str:
    """Where Python looks for modules: first in this repository, then where it did before."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def ray_submit(threads: int) -> Callable[..., Future]:
    """What submits a call to the Ray cluster that RAY_ADDRESS names, or to a new one on this machine.

    Its machines have this folder, the data and the study's folder at the same paths. Raises `InputError` without Ray.
    """
    try:
        import ray
    except ImportError:
        raise InputError("--engine ray: Ray is not installed; pip install ray") from None
    ray.init(ignore_reinit_error=True, runtime_env={"env_vars": {"PYTHONPATH": python_path()}})
    here, gpus = Path.cwd(), min(1, ray.cluster_resources().get("GPU", 0))  # Ray hides GPUs that a run does not ask for

    def call_here(call: Callable, *args: object) -> object:
        os.chdir(here)  # relative paths are those of this process
        return call(*args)

    return lambda call, *args: ray.remote(num_cpus=threads, num_gpus=gpus)(call_here).remote(call, *args).future()


def usual_jobs(threads: int) -> int:
    """The runs at a time without --jobs: one on a GPU, otherwise as many as this process has cores for."""
    import torch  # here, because it takes seconds to load

    if torch.accelerator.is_available():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)


def duration(seconds: float) -> str:
    """A duration as in `1 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
