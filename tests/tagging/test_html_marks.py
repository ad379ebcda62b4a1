"""The page of tagged text in a real headless browser: how it looks, and what a person sees and can do."""

import pytest
from test_browser import ATTACK, AXE, NEEDS_CHROMIUM, chromium, colours, serious_findings, size

from ner.tagging.html_marks import on_page

pytestmark = [NEEDS_CHROMIUM, pytest.mark.slow]
TEXTS = [f"{ATTACK} in Bergen", "", "w" * 400, "two\n  lines & Bergen"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with open(folder / "page.html", "w", encoding="utf-8") as file, on_page(file, "<b>", "<u>", ["<i>"]) as add:
        for text in TEXTS:
            place = text.find("Bergen")
            entities = [{"type": "<i>", "start": place, "end": place + 6, "score": 0.875}] if place >= 0 else []
            add({"text": text, "entities": entities})
    browser = chromium(folder / "profile")
    browser.get((folder / "page.html").as_uri())
    yield browser
    browser.quit()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_suits_colours_and_width(browser, scheme, width):
    colours(browser, scheme)
    size(browser, width)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    colour = browser.execute_script("return getComputedStyle(document.body).color")
    assert (colour == "rgb(0, 0, 0)") == (scheme == "light")
    if AXE.is_file():
        assert serious_findings(browser) == []
