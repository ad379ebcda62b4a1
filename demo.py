"""A page on this machine to try checkpoints on: what each finds in your text.

    python demo.py runs/quickstart runs/quickstart_masked     # then open the address that it prints

Needs gradio: pip install -r requirements-demo.txt
"""

import os
import time
from html import escape
from importlib.util import find_spec
from typing import Any

from ner.checkpoint_names import resolve_checkpoint
from ner.errors import CommandParser, InputError, run_script
from ner.tagging.html_marks import MARKS_CSS, Mark, class_hues, marked
from ner.tagging.output import Entity

EXAMPLES = (
    "Rabies, which bats carry, was studied by Pasteur in Paris.",
    "Anna Lind sailed the Vega from Oslo to the Lofoten Islands.",
    "Thyme and wild garlic grow where brown bears once lived.",
    "The World Health Organization fights malaria in Ghana.",
    "Athena gave the Greeks the olive, the BBC said on Friday.",
)
CSS = """
.html-container { padding: 0 !important; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: .5rem 2rem;
  padding: .6rem 0; border-top: 1px solid var(--border-color-primary); overflow-wrap: anywhere; }
.columns h3 { margin: 0; font-size: .9rem; font-weight: 600; }
.columns .soft, .columns small { font-size: .8rem; }
.columns .text { margin: .3rem 0 0; --ground: var(--body-background-fill); }
"""


def compared(found: list[list[Entity]], known: list[list[str]]) -> list[list[Mark]]:
    """The marks of each checkpoint in a text, from the entities that each found and the classes that each knows.

    A mark is dashed if another checkpoint knows the class and did not find the entity.
    """
    spans = [{(e.start, e.end, e.type) for e in entities} for entities in found]

    def mark(e: Entity) -> Mark:
        others = zip(spans, known, strict=True)
        differs = any(e.type in classes and (e.start, e.end, e.type) not in other for other, classes in others)
        return e.start, e.end, e.type, f"{e.score:.2f}{', differs' if differs else ''}", differs

    return [[mark(e) for e in entities] for entities in found]


def page_of(taggers: dict[str, Any]) -> Any:
    """The page, `gradio.Blocks`: text to be tagged by the `Tagger` of each name."""
    import gradio as gr

    known = [tagger.classes for tagger in taggers.values()]
    hues = class_hues(list(dict.fromkeys(name for some in known for name in some)))

    def tag(text: str, min_score: float) -> str:
        lines = text.split("\n")
        columns = [
            f'<section><h3>{escape(name)}</h3><p class="soft">knows {escape(", ".join(some))}</p>'
            for name, some in zip(taggers, known, strict=True)
        ]
        for line, *found in zip(lines, *(tagger.tag(lines) for tagger in taggers.values()), strict=True):
            shown = [[e for e in entities if e.score >= min_score] for entities in found]
            for i, marks in enumerate(compared(shown, known)):
                columns[i] += marked(line, marks, hues)
        return f'<div class="columns">{"</section>".join(columns)}</section></div>'

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
    return page


def main(argv: list[str]) -> None:
    """Serves the page on 127.0.0.1 until it is interrupted. Raises `InputError` for a wrong run and without gradio."""
    parser = CommandParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders or Hub ids; each gets a column")
    runs = {run: resolve_checkpoint(run) for run in parser.parse_args(argv).runs}
    if not find_spec("gradio"):
        raise InputError("gradio is not installed; demo.py needs it; run: pip install -r requirements-demo.txt")

    # Before gradio is imported. It asks its own address whether it is there, which no proxy knows.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "no_proxy": "127.0.0.1"}
    from ner.tagging.tagger import Tagger

    page = page_of({run: Tagger.load(location) for run, location in runs.items()})
    _, address, _ = page.launch(
        prevent_thread_lock=True, css=CSS + MARKS_CSS, quiet=True, show_error=True, server_name="127.0.0.1",
        share=False, ssr_mode=False, run_history=False, footer_links=[],
    )  # fmt: skip
    print(f"open {address} in a browser; Ctrl+C ends the page", flush=True)
    while True:  # Ctrl+C interrupts it at once, where gradio's own loop would wait for open pages
        time.sleep(3600)  # on Windows, an Event could not be interrupted before Python 3.14


if __name__ == "__main__":
    run_script(main)
