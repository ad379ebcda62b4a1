"""In what compared runs differ beyond what the experiment varies: precision, batches, versions, data, hardware."""

from typing import Any

from ner.report.run_reader import Run

# What an experiment varies, and what changes no number or has a row of its own.
VARIED = (
    "masked_training", "selected_categories", "upsample", "upsample_categories", "upsample_factor", "seed",
    "output_dir",
)  # fmt: skip
ELSEWHERE = (
    "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "bf16", "fp16",
    "overwrite_output_dir", "resume_from_checkpoint", "push_to_hub", "hub_model_id", "cache", "disable_tqdm",
)  # fmt: skip
DEFAULT = "default"  # args.yaml leaves transformers' defaults out


def setups(runs: list[Run]) -> dict[str, Any]:
    """How alike the runs were made: `differing`, a list of {"what", "values": {run: text, None if not recorded}},
    and the names of what agrees (`agreeing`) and of what no run has recorded (`unrecorded`)."""
    result: dict[str, Any] = {"differing": [], "agreeing": [], "unrecorded": []}

    def compare(what: str, values: list[str | None]) -> None:
        if len(set(values)) > 1:
            by_run = dict(zip((run.name for run in runs), values, strict=True))
            result["differing"].append({"what": what, "values": by_run})
        else:
            result["unrecorded" if values[0] is None else "agreeing"].append(what)

    facts = [recorded(run) for run in runs]
    for what in facts[0]:
        compare(what, [each[what] for each in facts])
    for what, singular, found, missing in (
        ("other arguments", "argument", [arguments(run) for run in runs], DEFAULT),
        ("package versions", "version of", [run.environment.get("packages") for run in runs], None),
    ):
        known = [each if isinstance(each, dict) and each else None for each in found]
        keys = sorted({key for each in known if each for key in each}, key=str)
        values = {k: [None if each is None else shown(each.get(k)) or missing for each in known] for k in keys}
        differing = {k: v for k, v in values.items() if len({x for x, each in zip(v, known, strict=True) if each}) > 1}
        if not differing:
            compare(what, [None if each is None else "recorded" for each in known])
        for key, each in differing.items():
            compare(f"{singular} {key}", each)
    return result


def recorded(run: Run) -> dict[str, str | None]:
    """What a run's records say of how it was trained and scored; None for what they do not say."""
    environment, args = run.environment, run.args
    sizes = args.get("per_device_train_batch_size"), args.get("gradient_accumulation_steps", 1)
    factors = [*sizes, environment.get("processes")]
    batch = None
    if all(isinstance(n, int) for n in factors):
        batch = f"{factors[0] * factors[1] * factors[2]:,}"
    accelerators = environment.get("accelerators")
    facts = {
        "precision of training": training_precision(run),
        "precision of scoring": run.scored.get("precision"),
        "sentences an update": batch,
        "updates": environment.get("update_steps"),
        "learning rate": args.get("learning_rate"),
        "training data": environment.get("data_fingerprint"),
        "test data": run.scored.get("data_fingerprint"),
        "Python": environment.get("python"),
        "device": environment.get("device"),
        "processor": environment.get("processor"),
        "threads": environment.get("threads"),
        "accelerators": "none" if accelerators == [] else accelerators,
        "git commit": environment.get("git_commit"),
    }
    return {what: shown(value) for what, value in facts.items()}


def training_precision(run: Run) -> str | None:
    """The recorded precision; older runs recorded only whether it was bfloat16."""
    if "precision" in run.environment or "bfloat16" not in run.environment:
        return run.environment.get("precision")
    if run.environment["bfloat16"]:
        return "bfloat16"
    return "float16" if run.args.get("fp16") else "float32"


def arguments(run: Run) -> dict[str, Any]:
    return {k: v for k, v in run.args.items() if k not in (*VARIED, *ELSEWHERE)}


def shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.10g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
