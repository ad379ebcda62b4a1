"""The HTML report in a real headless browser: what a person sees and can do."""

import pytest
from report_page import ATTACK, NEEDS_CHROMIUM, RIGHT_TO_LEFT, THIRD, all_of, one, opened_page, table_of

pytestmark = [NEEDS_CHROMIUM, pytest.mark.slow]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    browser = opened_page(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.quit()


def choose(page, name: str, text: str) -> None:
    page.execute_script(
        "const s = document.getElementById(arguments[0]);"
        "s.value = [...s.options].find((o) => o.text === arguments[1]).value;"
        "s.dispatchEvent(new Event('input', {bubbles: true}));",
        name, text,
    )  # fmt: skip


def count(page) -> str:
    return one(page, ".pager span").text


def test_the_page_runs_without_errors_and_asks_for_nothing(page):
    assert page.title == "Comparison of runs"
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    requested = [e["message"] for e in page.get_log("performance") if "Network.requestWillBeSent" in e["message"]]
    assert requested and not any('"url":"http' in message for message in requested)
    assert len(all_of(page, "table")) >= 6 and len(all_of(page, "figure > svg")) == 2
    assert all(svg.size["width"] > 600 and svg.size["height"] > 150 for svg in all_of(page, "figure > svg"))


def test_tokens_and_names_are_text(page):
    assert one(page, "article").text.count(ATTACK) >= 1
    assert page.title == "Comparison of runs"
    assert "<b>bad" in one(page, "#report").text
    assert not all_of(page, "article img") and not all_of(page, "#report b")
    assert "<b>bad" in [bdi.text for bdi in all_of(page, ".lead bdi")]  # names do not turn the text around them
    line = next(bdi for bdi in all_of(page, "article .side > bdi") if RIGHT_TO_LEFT in bdi.text)
    assert line.value_of_css_property("unicode-bidi") == "isolate"


def test_it_opens_with_the_finding_the_picture_and_the_contents(page):
    parts = page.execute_script(
        "return [...document.querySelectorAll('#report > *')].map((node) => node.className || node.tagName)"
    )
    assert parts[0] == "lead" and parts.index("FIGURE") < parts.index("H2")
    assert one(page, ".lead").text.startswith(
        f"Micro F1 against good: lower for <b>bad; no difference shown for {THIRD}."
    )
    forest = one(page, "figure > svg")
    assert forest.get_attribute("role") == "img" and "in points" in forest.get_attribute("aria-label")
    assert len(forest.find_elements("css selector", "line.zero")) == 1
    assert {"micro", "macro", "PER", "DIS", "<b>bad"} <= {t.text for t in forest.find_elements("tag name", "text")}
    links = all_of(page, "nav a")
    assert [link.text for link in links] == [h.text for h in all_of(page, "h2")] and len(links) > 5
    targets = [link.get_attribute("href").partition("#")[2] for link in links]
    assert targets == [h.get_attribute("id") for h in all_of(page, "h2")]


def test_tables_sort_by_mouse_and_by_keyboard(page):
    table = table_of(page, "F1 on the shared classes")
    button = table.find_elements("css selector", "th button")[2]

    def column() -> list[float]:
        return [float(row.find_elements("tag name", "td")[1].text.split()[0]) for row in
                table.find_elements("css selector", "tbody tr")]  # fmt: skip

    button.click()
    assert column() == sorted(column(), reverse=True)
    button.send_keys("\ue007")  # Enter
    assert column() == sorted(column())
    assert table.find_elements("css selector", "thead th")[2].get_attribute("aria-sort") == "ascending"


def test_differences_sort_by_their_number(page):
    table = table_of(page, "<b>bad against good")
    head = [th.text for th in table.find_elements("css selector", "thead th")]
    assert head == ["class", "gold entities", "verdict", "difference", "95 % interval", "p", "p (Holm)"]
    table.find_elements("css selector", "th button")[3].click()
    cells = [row.find_elements("tag name", "td")[2].text for row in table.find_elements("css selector", "tbody tr")]
    numbers = [float(cell) for cell in cells]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) > 2


def test_rows_and_buttons_have_names(page):
    assert all(button.text.strip() for button in all_of(page, "button"))
    for row in all_of(page, "tbody tr"):
        assert row.find_elements("css selector", ":scope > :first-child")[0].get_attribute("scope") == "row"
    assert one(page, "main").find_elements("id", "list") and len(all_of(page, "h1")) == 1
    confusion = table_of(page, "Confusion of good")
    assert [th.text for th in confusion.find_elements("css selector", "thead th")][-2:] == ["other borders", "missed"]


def test_sentences_are_filtered_by_class_and_by_kind_of_error(page):
    choose(page, "kind", "missed")
    choose(page, "class", "ORG")
    articles = all_of(page, "article")
    assert articles
    assert all("ORG, missed" in a.text for a in articles)
    missed = count(page)
    choose(page, "kind", "any sentence")
    choose(page, "class", "any")
    assert count(page).startswith("120 of 120 sentences") and missed != count(page)
    one(page, "#words").send_keys("w7.")
    assert count(page).startswith("1 of 120")
    one(page, "#words").send_keys("\b\b\b")


WORDS = """
const bare = (line) => {
  const copy = line.cloneNode(true);
  copy.querySelectorAll("small").forEach((label) => label.remove());
  return copy.textContent.split(/\\s+/).filter(Boolean).join(" ");
};
"""


def test_a_missed_entity_is_marked_in_its_place(page):
    """Without its labels a line is the sentence, in its order, and what is marked as missed is a gold entity."""
    choose(page, "kind", "missed")
    lines = page.execute_script(
        WORDS + "const lines = (article) => [...article.querySelectorAll('.side > :last-child')];"
        "return [...document.querySelectorAll('article')].map((article) => lines(article).map(bare));"
    )
    assert lines and all(len(set(article)) == 1 for article in lines)
    marks = all_of(page, "article mark.missed")
    assert marks
    for mark in marks:
        gold = mark.find_element("xpath", "ancestor::article").find_elements("css selector", "mark.gold")
        words, _, class_ = mark.text.removesuffix(", missed").rpartition(" ")
        assert f"{words} {class_}" in [g.text for g in gold]
    choose(page, "kind", "any sentence")


def test_a_missed_entity_that_reaches_into_wrong_ones_keeps_its_words(page):
    """Gold 1-4 is missed while predicted 0-2 and 3-5 are paired with others: each word is there once, in order."""
    text, pieces = page.execute_script(
        WORDS
        + "const shown = line(['a', 'b', 'c', 'd', 'e'], [[0, 2, 0], [3, 5, 1]], ['both', 'both'], '', [[1, 4, 2]]);"
        "return [bare(shown), [...shown.querySelectorAll('mark.missed')].map((mark) => mark.textContent)];"
    )
    assert text == "a b c d e" and [piece.strip() for piece in pieces] == ["b", "c", "d LOC, missed"]


def test_where_the_first_is_right_and_this_one_wrong(page):
    choose(page, "run", "<b>bad")
    choose(page, "kind", "any error")
    every = int(count(page).split()[0])
    one(page, "#first").click()
    only = int(count(page).split()[0])
    assert 0 < only < every
    for article in all_of(page, "article"):
        good, bad = article.find_elements("css selector", ".side > :last-child")[1:3]
        assert bad.find_elements("css selector", ".wrong, .missed")

        # Some error of this run is at words where the first run's line has none.
        def ranges(line) -> list[str]:
            return [m.text.split(" ")[0] for m in line.find_elements("css selector", ".wrong, .missed")]

        assert set(ranges(bad)) - set(ranges(good))
    choose(page, "run", "good")
    assert count(page).startswith("0 of 120")
    one(page, "#first").click()
    choose(page, "run", "any")
    choose(page, "kind", "any sentence")


def test_pages_turn_by_button_above_and_below(page):
    above, below = all_of(page, ".pager")
    above.find_element("css selector", ".next").click()
    assert "page 2 of 5" in above.text and "page 2 of 5" in below.text
    page.execute_script("arguments[0].scrollIntoView()", below)
    below.find_element("css selector", ".next").click()
    assert "page 3 of 5" in above.text
    top = page.execute_script("return arguments[0].getBoundingClientRect().top", above)
    assert -1 < top < 300  # back at its top, but for a part of a pixel
    above.find_element("css selector", ".previous").click()
    above.find_element("css selector", ".previous").click()
    assert "page 1 of 5" in above.text


def test_arrow_keys_turn_pages_where_the_reader_is_in_the_list(page):
    page.execute_script("document.activeElement.blur()")
    one(page, "body").send_keys("\ue014")  # right arrow
    assert "page 1 of 5" in count(page)
    all_of(page, "th button")[0].send_keys("\ue014")
    assert "page 1 of 5" in count(page)
    one(page, "#list").send_keys("\ue014")
    assert "page 2 of 5" in count(page)
    one(page, ".pager .next").send_keys("\ue014")
    assert "page 3 of 5" in count(page)
    for _ in range(4):
        one(page, "#list").send_keys("\ue012")  # left arrow
    assert "page 1 of 5" in count(page)
