"""A page on this machine to try checkpoints on: what each finds in your text, and the test errors of scored runs.

    python demo.py runs/quickstart runs/quickstart_masked     # then open the address that it prints

Needs gradio: pip install -r requirements-demo.txt
"""

import os
import time
from functools import lru_cache
from html import escape
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

from ner.errors import CommandParser, InputError, message_of, run_script
from ner.files import using_records
from ner.report.run_reader import Run, read_run
from ner.scoring.error_analysis import KINDS, Entity, entities_of, errors
from ner.tagging.html_marks import MARKS_CSS, Mark, class_hues, marked
from ner.tagging.output import Entity as Found

EXAMPLES = (
    "Rabies, which bats carry, was studied by Pasteur in Paris.",
    "Anna Lind sailed the Vega from Oslo to the Lofoten Islands.",
    "Thyme and wild garlic grow where brown bears once lived.",
    "The World Health Organization fights malaria in Ghana.",
    "Athena gave the Greeks the olive, the BBC said on Friday.",
)
ANY, PER_PAGE = "any", 10
CSS = """
.html-container { padding: 0 !important; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: .5rem 2rem;
  padding: .6rem 0; border-top: 1px solid var(--border-color-primary); overflow-wrap: anywhere; }
.columns h3 { margin: 0; font-size: .9rem; font-weight: 600; }
.columns .soft, .columns small { font-size: .8rem; }
.columns .text { margin: .3rem 0 0; --ground: var(--body-background-fill); }
"""


def column(heading: str, caption: str, body: str) -> str:
    """HTML below a heading and a caption, both of which are text."""
    return f'<section><h3>{escape(heading)}</h3><p class="soft">{escape(caption)}</p>{body}</section>'


def compared(found: list[list[Found]], known: list[list[str]]) -> list[list[Mark]]:
    """The marks of each checkpoint in a text, from the entities that each found and the classes that each knows.

    A mark is dashed if another checkpoint knows the class and did not find the entity.
    """
    spans = [{(e.start, e.end, e.type) for e in entities} for entities in found]

    def mark(e: Found) -> Mark:
        others = zip(spans, known, strict=True)
        differs = any(e.type in classes and (e.start, e.end, e.type) not in other for other, classes in others)
        return e.start, e.end, e.type, f"{e.score:.2f}{', differs' if differs else ''}", differs

    return [[mark(e) for e in entities] for entities in found]


def wrong_sentences(run: Run, hues: dict[str, int]) -> list[tuple[set[tuple[str, str]], str]]:
    """The test sentences with an error: kind and class of the errors, and HTML with the gold tags beside the predicted.

    Missed entities are dashed in gold, the others where they were predicted.
    """
    result = []
    all_gold, all_predicted = (entities_of(tags, run.classes) for tags in (run.gold, run.predicted))
    for i, (gold, predicted) in enumerate(zip(all_gold, all_predicted, strict=True)):
        if wrong := errors(gold, predicted):
            missed = {g: kind for kind, g, p in wrong if g and not p}
            others = {p: kind for kind, _, p in wrong if p}
            about = ", ".join(filter(None, (f"sentence {i}", run.langs[i])))
            kinds = ", ".join(dict.fromkeys(kind for kind, _, _ in wrong))
            html = column("gold", about, sentence(run.tokens[i], gold, missed, hues))
            html += column("predicted", kinds, sentence(run.tokens[i], predicted, others, hues))
            result.append(({(kind, e[2]) for kind, *pair in wrong for e in pair if e}, html))
    return result


def sentence(tokens: list[str], entities: list[Entity], kinds: dict[Entity, str], hues: dict[str, int]) -> str:
    """Tokens as HTML, with their entities marked, and dashed if they have a kind of error."""
    starts = [0, *accumulate(len(token) + 1 for token in tokens)]
    marks = [(starts[e[0]], starts[e[1]] - 1, e[2], kinds.get(e, ""), e in kinds) for e in entities]
    return marked(" ".join(tokens), marks, hues)


def page_of(taggers: dict[str, Any], scored: list[Run]) -> Any:
    """The page, `gradio.Blocks`: text to be tagged by the `Tagger` of each name, then the errors of the scored runs."""
    import gradio as gr

    known = [tagger.classes for tagger in taggers.values()]
    classes = list(dict.fromkeys(name for some in known for name in some))
    hues = class_hues(classes)
    wrong = {run.name: wrong_sentences(run, hues) for run in scored}

    @lru_cache(maxsize=1)  # the slider does not tag again
    def tagged(text: str) -> list[list[list[Found]]]:  # of each checkpoint and line
        return [tagger.tag(text.split("\n")) for tagger in taggers.values()]

    def tag(text: str, min_score: float) -> str:
        bodies = [""] * len(taggers)
        for line, *found in zip(text.split("\n"), *tagged(text), strict=True):
            shown = [[e for e in entities if e.score >= min_score] for entities in found]
            for i, marks in enumerate(compared(shown, known)):
                bodies[i] += marked(line, marks, hues)
        columns = zip(taggers, (f"knows {', '.join(some)}" for some in known), bodies, strict=True)
        return f'<div class="columns">{"".join(column(*each) for each in columns)}</div>'

    def browse(run: str, kind: str, name: str, number: int | None = 1) -> tuple[str, int]:
        found = [html for of, html in wrong[run] if any(kind in (ANY, k) and name in (ANY, n) for k, n in of)]
        pages = max(1, -(-len(found) // PER_PAGE))
        number = min(max(number or 1, 1), pages)
        shown = found[PER_PAGE * (number - 1) : PER_PAGE * number]
        rows = "".join(f'<div class="columns">{html}</div>' for html in shown)
        return f"<p>{len(found):,} sentences, page {number:,} of {pages:,}</p>{rows}", number

    with gr.Blocks(title="Named entities") as page:
        gr.Markdown("# Named entities\n## Your text")
        text = gr.Textbox(EXAMPLES[0], lines=3, max_lines=20, label="text: each line is tagged by itself")
        min_score = gr.Slider(0, 1, 0, step=0.01, label="minimum score")
        gr.Examples(list(EXAMPLES), text, label="examples")
        if len(taggers) > 1:
            gr.Markdown("*Differs*: another checkpoint knows the class and does not show this entity.")
        columns = gr.HTML(elem_id="entities")
        changes = [page.load, text.change, min_score.change]
        gr.on(changes, tag, [text, min_score], columns, show_progress="hidden", trigger_mode="always_last")
        if wrong:
            gr.Markdown("## Errors in the test split")
            with gr.Row():
                filters = [
                    gr.Dropdown(list(wrong), label="run", filterable=False),
                    gr.Dropdown([ANY, *KINDS], label="kind of error", filterable=False),
                    gr.Dropdown([ANY, *classes], label="class", filterable=False),
                ]
                number = gr.Number(1, precision=0, minimum=1, label="page")
            shown = [gr.HTML(elem_id="errors"), number]
            gr.on([page.load, *(f.input for f in filters)], browse, filters, shown, show_progress="hidden")
            number.input(browse, [*filters, number], shown, show_progress="hidden")
    return page


def main(argv: list[str]) -> None:
    """Serves the page on 127.0.0.1 until it is interrupted. Raises `InputError` for a wrong run and without gradio."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders; each gets a column")
    runs = parser.parse_args(argv).runs
    for run in runs:
        if not (run / "config.json").is_file():
            raise InputError(f"{run}: found no config.json; expected the folder of a finished run; check its name")
    if not find_spec("gradio"):
        raise InputError("gradio is not installed; demo.py needs it; run: pip install -r requirements-demo.txt")
    with using_records("the runs"):
        scored = [read_run(run, str(run)) for run in runs if (run / "test" / "predictions.jsonl").is_file()]

    # Before gradio is imported. It asks its own address whether it is there, which no proxy knows.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "no_proxy": "127.0.0.1"}
    from ner.tagging.tagger import Tagger

    page = page_of({str(run): Tagger.load(run) for run in runs}, scored)
    try:
        _, address, _ = page.launch(
            prevent_thread_lock=True, css=CSS + MARKS_CSS, quiet=True, show_error=True, server_name="127.0.0.1",
            share=False, ssr_mode=False, run_history=False, footer_links=[],
        )  # fmt: skip
    except OSError as error:  # no free port
        raise InputError(message_of(error)) from None
    print(f"open {address} in a browser; Ctrl+C ends the page", flush=True)
    while True:  # Ctrl+C interrupts it at once, where gradio's own loop would wait for open pages
        time.sleep(3600)  # on Windows, an Event could not be interrupted before Python 3.14


if __name__ == "__main__":
    run_script(main)
