"""The rules of the layout: imports point down and form no circle, links work."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

# What a person runs, and what these commands share: their options, an experiment's rows, the metric.
COMMANDS, SHARED = {"train", "inference", "report", "hub", "study", "demo"}, {"arguments", "data", "metrics"}
# Each imports only from itself and from those after it; "" is ner/ itself.
ROOMS = ("study", "report", "training", "tagging", "encoder", "runs", "corpus", "scoring", "")
TORCH = {"torch", "transformers", "accelerate"}
PLACES = ("*.md", "docs/*.md", "benchmarks/*.md", "sample/*.md", "examples/*.md", "results/**/README.md")
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(
        [*ROOT.glob("*.py"), *ROOT.glob("ner/**/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("studies/*.py")]
    )
}
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imports(tree: ast.Module) -> set[str]:
    """The dotted names that a module imports, anywhere in it; `from a import b` gives both `a` and `a.b`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def inner_imports(name: str) -> set[str]:
    return {other for other in imports(TREES[name]) if other in MODULES and other != name}


def room_of(name: str) -> str:
    room = name.split(".")[1]
    return room if room in ROOMS else ""


def test_the_commands_are_on_top():
    assert {path.stem for path in ROOT.glob("*.py")} == COMMANDS | SHARED


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("ner.")])
def test_a_room_imports_only_from_below(name):
    for other in inner_imports(name) - {"ner"}:
        assert other.startswith("ner."), f"{name} imports {other}, a file on top"
        assert ROOMS.index(room_of(name)) <= ROOMS.index(room_of(other)), f"{name} imports {other}, which is above it"


def test_a_command_imports_no_other():
    assert not {(name, other) for name in COMMANDS | SHARED for other in inner_imports(name) & COMMANDS}


def test_no_circle_of_imports():
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(inner_imports(name)):
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_pictures_are_drawn_in_one_room():
    importers = [name for name, tree in TREES.items() if "matplotlib" in {i.split(".")[0] for i in imports(tree)}]
    assert importers and not [name for name in importers if not name.startswith(("ner.report.", "benchmarks."))]


@pytest.mark.parametrize(
    ("room", "libraries"),
    [("report", TORCH), ("corpus", TORCH), ("scoring", TORCH | {"pyarrow", "datasets", "evaluate"})],
)
def test_a_room_does_without(room, libraries):
    modules = [name for name in TREES if name.startswith(f"ner.{room}.")]
    assert modules and not [name for name in modules if {i.split(".")[0] for i in imports(TREES[name])} & libraries]


def test_onnx_and_spacy_are_imported_where_they_are_used():
    """Not by each command that could use them: they take time to load."""
    for name, tree in TREES.items():
        top = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)], [])
        assert not {i.split(".")[0] for i in imports(top)} & {"onnx", "onnxruntime", "spacy"}, name


def test_no_path_is_edited():
    scripts = [*MODULES.values(), *TESTS]
    edited = re.compile(r"^\s*sys\.path\b", re.MULTILINE)
    assert not [str(p.relative_to(ROOT)) for p in scripts if edited.search(p.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_links_to_or_names_exists(page):
    """Links; `ner/labels.py` and the like; the scripts and config files of commands."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists() and ROOT in other.parents, f"{target}: no such file"
        if anchor:
            assert anchor in anchors(other), f"{target}: no such heading"
    named = set(re.findall(r"\b(?:ner|tests|docs|benchmarks|studies|configs)/[\w/]+\.\w+", text))
    named |= set(re.findall(r"(?:python|`)\s*(\w+\.py)\b", text))
    assert not {name for name in named if not any((base / name).exists() for base in (ROOT, page.parent))}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


DEMO = "import demo\ntry: demo.main(['nowhere'])\nexcept ValueError: pass\nelse: sys.exit('no error')"
SAMPLE = "from ner.corpus import readers, sources; readers.read_raw(sources.Source('sample'), 'train')"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import report", "torch transformers datasets evaluate scipy"),
        ("import hub, ner.runs.environment, ner.runs.folder, ner.runs.model_card, ner.runs.upload",
         "torch transformers ner.encoder ner.training ner.tagging inference arguments"),
        ("import study; study.main(['plan', 'studies/sample.yaml'])", "torch"),
        (SAMPLE, "datasets"),
        (DEMO, "torch transformers gradio datasets"),
    ],
)  # fmt: skip
def test_what_takes_seconds_to_import_is_imported_where_it_is_used(code, absent):
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert not set(absent.split()) & set(done.stdout.splitlines()[-1].split())
