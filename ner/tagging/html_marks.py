"""Text as HTML with its entities marked, and a page of tagged text."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, TextIO

Show = Callable[[dict[str, Any]], None]  # shows a record of tagged text
Mark = tuple[int, int, str, str, bool]  # an entity to mark: characters and class, a note, and whether it is dashed

# A class has a hue, but also its name in each mark. What differs has a dashed border, and a word for it.
MARKS_CSS = """
.text { line-height: 2.1; white-space: pre-wrap; }
.text mark { padding: .1rem .25rem; color: inherit; unicode-bidi: isolate; border-radius: .2rem;
  -webkit-box-decoration-break: clone; box-decoration-break: clone; border-bottom: 2px solid hsl(var(--hue) 60% 50%);
  background: color-mix(in srgb, hsl(var(--hue) 80% 50%) 22%, var(--ground)); }
.text mark.dashed { border: 2px dashed currentColor; }
"""
PAGE_CSS = """
:root { color-scheme: light dark; --ground: Canvas; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.3rem; }
ol { padding-left: 3rem; }
li { border-top: 1px solid #8886; }
li::marker, .text small { font-size: .75rem; }
.text { margin: .3rem 0; min-height: 2.1rem; content-visibility: auto; contain-intrinsic-size: auto 2.1rem; }
"""


def class_hues(classes: list[str]) -> dict[str, int]:
    """A hue for each class, in degrees."""
    return {name: 360 * i // len(classes) for i, name in enumerate(classes)}


def marked(text: str, marks: list[Mark], hues: dict[str, int]) -> str:
    """A text as HTML, with its marks, which are in order and do not overlap; `hues` gives each class its colour."""
    parts, done = [], 0
    for start, end, name, note, dashed in marks:
        opening = f'<mark style="--hue: {hues.get(name, 0)}"{" class=dashed" if dashed else ""}>'
        label = f"<small>{escape(f'{name} {note}')}</small>"
        parts += [escape(text[done:start]), f"{opening}{escape(text[start:end])} {label}</mark>"]
        done = end
    return f'<p class="text" dir="auto">{"".join(parts)}{escape(text[done:])}</p>'


@contextmanager
def on_page(file: TextIO | None, source: str, checkpoint: str, classes: list[str]) -> Iterator[Show]:
    """Gives a function that adds a record to a page of tagged text, and ends the page after the block.

    Without a file, the function does nothing.
    """
    if file is None:
        yield lambda tagged: None
        return
    hues = class_hues(classes)

    def add(tagged: dict[str, Any]) -> None:
        marks = [(e["start"], e["end"], e["type"], f"{e['score']:.2f}", False) for e in tagged["entities"]]
        others = [f"{name}: {value}" for name, value in tagged.items() if name not in ("text", "entities")]
        file.write(f"<li><small>{escape(' · '.join(others))}</small>{marked(tagged['text'], marks, hues)}\n")

    file.write(f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Entities in {escape(source)}</title>
<style>{PAGE_CSS}{MARKS_CSS}</style>
<main>
<h1>Entities in {escape(source)}</h1>
<p>Found by {escape(checkpoint)}. Beside each entity are its class and its score.
<ol>
""")
    yield add
    file.write("</ol>\n</main>\n")
