"""The map of a removal study as the parts of a report."""

from math import asinh
from pathlib import Path
from typing import Any

from ner.report.findings import p_cell, p_equation
from ner.report.pictures import heat_map, picture_part
from ner.report.tables import Part, table
from ner.scoring.score_table import EMPTY
from ner.study.class_map import ChangedMentions

MOST_LISTED, MAP_PICTURE = 12, "map.svg"
MARKS = {"higher": " ↑", "lower": " ↓", "within ±1": " ="}
TITLE = "Effect of removing a class (row) on the F1 of each other class (column), in points"
MAP_TEXT = (
    "Rows are classes that were removed, columns those that were measured. ↑ or ↓ marks an effect that the permutation "
    "test over the whole map shows; = marks any other that is shown to be within ±1 point, which need not be 0. The "
    "rest is not shown, which is not the same as no effect. On the page, a click on a cell shows its numbers. "
    "docs/study.md explains the method."
)


def map_parts(result: dict[str, Any], mentions: ChangedMentions, path: Path) -> list[Part]:
    """The map as a picture and as a table whose cells open; the clearest effects, and the parts of their errors."""
    cells = {(cell["removed"], cell["measured"]): cell for cell in result["effects"]}
    classes, measured = result["classes"], list(result["spread"])
    grid = [[cells.get((x, y)) for y in measured] for x in classes]
    largest = max(abs(cell["effect"]) for cell in cells.values()) or 1.0
    # Beyond a point, the colour grows with the logarithm, so that one large effect leaves the others visible.
    heat = [[asinh(cell["effect"]) / asinh(largest) if cell else 0.0 for cell in row] for row in grid]
    texts = [
        [signed(cell["effect"]) + MARKS.get(cell["verdict"], "") if cell else EMPTY for cell in row] for row in grid
    ]
    opened = [[opened_cell(cell, mentions) if cell else None for cell in row] for row in grid]
    words = [cell["verdict"] for cell in cells.values()]
    lead = (
        f"Of {len(cells)} pairs of classes, over {result['runs']} runs: {words.count('lower')} with a loss, "
        f"{words.count('higher')} with a gain, {words.count('within ±1')} with an effect within ±1 point, and "
        f"{words.count('not shown')} for which neither an effect nor its absence is shown."
    )
    parts: list[Part] = [
        ("lead", lead),
        ("p", MAP_TEXT),
        picture_part(lambda: heat_map(classes, measured, texts, heat), TITLE, path),
        table(TITLE, ["removed", *measured], [[x, *row] for x, row in zip(classes, texts, strict=True)], heat, opened),
    ]
    if result["confusion"]:
        rho, p = result["confusion"]["rank_correlation"], p_equation(result["confusion"]["p"])
        parts.append(("p", f"Confusion in the unmasked runs and effect: Spearman's rank correlation {rho:+.2f}, {p}."))
    clearest = sorted(cells.values(), key=lambda cell: (cell["p"], -abs(cell["effect"])))[:MOST_LISTED]
    head = ["removed → measured", "effect", "95 % interval", "p", "verdict", *clearest[0]["parts"]]
    rows = [
        [f"{cell['removed']} → {cell['measured']}", signed(cell["effect"], 2), interval(cell), p_cell(cell["p"]),
         cell["verdict"], *map(signed, cell["parts"].values())]
        for cell in clearest
    ]  # fmt: skip
    return [*parts, table("The clearest effects, and the parts of their errors for each 100 gold entities", head, rows)]


def opened_cell(cell: dict[str, Any], mentions: ChangedMentions) -> dict[str, Any]:
    """What a cell of the map shows when it is opened: its numbers, and the mentions that changed most."""
    x, y = cell["removed"], cell["measured"]
    effect = f"{signed(cell['effect'], 2)} points of F1, 95 % interval {interval(cell)}, {p_equation(cell['p'])}"
    of_parts = ", ".join(f"{name} {signed(value)}" for name, value in cell["parts"].items())
    return {
        "title": f"{y} without {x}: {cell['verdict']}",
        "lines": [effect, f"Errors for each 100 gold {y}: {of_parts}"] if of_parts else [effect],
        "mentions": mentions.get((x, y), []),
    }


def interval(cell: dict[str, Any]) -> str:
    """The 95 % interval of an effect in points."""
    return f"{signed(cell['low'], 2)} to {signed(cell['high'], 2)}"


def signed(value: float, decimals: int = 1) -> str:
    """A number with its sign, which stays even if the number rounds to 0."""
    return f"{round(value, 9) + 0.0:+.{decimals}f}"  # what is below is an error of floating-point numbers
