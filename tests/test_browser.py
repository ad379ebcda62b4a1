"""The HTML report in a real headless browser: what a person sees and can do, how it looks, and on paper."""

import base64
import csv
import random
import shutil
from urllib.parse import unquote

import pytest
from conftest import ROOT
from scored_runs import CLASSES, sentences, with_noise, write_run

import report
from ner.report.pictures import PALETTES

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_CHROMIUM = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver")
pytestmark = [NEEDS_CHROMIUM, pytest.mark.slow]

AXE = ROOT / ".venv" / "node_modules" / "axe-core" / "axe.min.js"
ATTACK = "<img src=x onerror=document.title='owned'>"
THIRD = "a_run_of_a_long_name_without_any_space_in_it"
RIGHT_TO_LEFT = "\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd"


def chromium(profile):
    """A browser that logs what it asks for."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", "disable-dev-shm-usage",
                 f"user-data-dir={profile}"):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.add_experimental_option("browserStartupTimeout", 110_000)  # ms; selenium itself waits for 120 s
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    browser.command_executor.client_config.timeout = 600  # seconds; on a busy machine, axe-core takes minutes
    browser.set_script_timeout(600)
    return browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A report of three runs in a browser; some tokens are markup that would run if taken for it."""
    folder, rows = tmp_path_factory.mktemp("browser"), sentences(random.Random(0), 120)
    for row, token in zip(
        rows, (ATTACK, "</script><script>document.title='owned'</script>", RIGHT_TO_LEFT), strict=False
    ):
        row["tokens"][0] = token
    runs = []
    for seed, (name, rate) in enumerate({"good": 0.1, "<b>bad": 0.3, THIRD: 0.12}.items()):
        runs.append(write_run(folder / name, with_noise(rows, rate, seed), CLASSES))
    report.main([*map(str, runs), "--output_dir", str(folder / "report")])
    browser = chromium(folder / "profile")
    browser.address = (folder / "report" / "report.html").as_uri()
    yield browser
    browser.quit()


@pytest.fixture
def page(browser):
    """The page as somebody sees it who has just opened it."""
    size(browser, 1280)
    colours(browser, "light")
    browser.get(browser.address)
    return browser


def all_of(page, selector: str):
    return page.find_elements("css selector", selector)


def one(page, selector: str):
    return page.find_element("css selector", selector)


def choose(page, name: str, text: str) -> None:
    page.execute_script(
        "const s = document.querySelector(`select[name=${arguments[0]}]`);"
        "s.value = [...s.options].find((o) => o.text === arguments[1]).value;"
        "s.dispatchEvent(new Event('input', {bubbles: true}));",
        name, text,
    )  # fmt: skip


def count(page) -> str:
    return one(page, "#count").text


def test_the_page_runs_without_errors_and_asks_for_nothing(page):
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    requested = [e["message"] for e in page.get_log("performance") if "Network.requestWillBeSent" in e["message"]]
    assert requested and not any('"url":"http' in message for message in requested)
    assert len(all_of(page, "table")) >= 6 and len(all_of(page, "figure")) == 2
    assert all(img.size["width"] > 500 and img.size["height"] > 150 for img in all_of(page, "img.light"))


def test_tokens_and_names_are_text(page):
    assert any(ATTACK in article.text for article in all_of(page, "article"))
    assert page.title == "Comparison of runs"
    assert "<b>bad" in one(page, "#parts").text
    assert not all_of(page, "article img") and not all_of(page, "#parts b")
    line = next(bdi for bdi in all_of(page, "article .side > bdi") if RIGHT_TO_LEFT in bdi.text)
    assert line.value_of_css_property("unicode-bidi") == "isolate"
    assert {line.get_attribute("lang") for line in all_of(page, "article .side > :last-child")} == {"de", "en"}


def test_it_opens_with_the_finding_the_picture_and_the_contents(page):
    parts = [part.get_attribute("class") or part.tag_name for part in all_of(page, "#parts > *")]
    assert parts[0] == "lead" and parts.index("figure") < parts.index("h2")
    assert "F1 in points" in one(page, "figure img").get_attribute("alt")
    links = all_of(page, "nav a")
    assert [link.text for link in links] == [h.text for h in all_of(page, "h2")] and len(links) > 5
    targets = [link.get_attribute("href").partition("#")[2] for link in links]
    assert targets == [h.get_attribute("id") for h in all_of(page, "h2")]


def test_sentences_are_filtered_by_class_and_by_kind_of_error(page):
    every = count(page)
    choose(page, "kind", "missed")
    choose(page, "class", "ORG")
    assert all_of(page, "article") and all("ORG, missed" in a.text for a in all_of(page, "article"))
    missed = count(page)
    choose(page, "kind", "any")
    choose(page, "class", "any")
    assert count(page) == every != missed
    one(page, "[name=words]").send_keys("w8.")
    assert count(page).startswith("1 of ")


LINES = """
return [...document.querySelectorAll('article')].map((article) => [
  Number(article.querySelector('h3').innerText.match(/\\d+/)[0]),
  [...article.querySelectorAll('.side > :last-child')].slice(1).map((line) => line.innerText)]);
"""


def test_sentences_open_with_those_where_the_runs_differ(page):
    shown = []
    for _ in range(int(count(page).split()[-1])):
        shown += [(len(set(lines)) == 1, number) for number, lines in page.execute_script(LINES)]
        one(page, "#next").click()
    assert len(shown) == int(count(page).split()[0]) and shown == sorted(shown)


def test_each_table_can_be_downloaded_as_csv(page):
    links = all_of(page, "caption a[download$='.csv']")
    assert len(links) == len(all_of(page, "table"))
    for link in links:
        text = unquote(link.get_attribute("href").partition(",")[2])
        rows = list(csv.reader(text.splitlines()))
        table = link.find_element("xpath", "ancestor::table")
        cells = page.execute_script(
            "return [...arguments[0].rows].map((r) => [...r.cells].map((c) => c.textContent.trim()))", table
        )
        assert rows == [
            [cell.replace(",", "") if cell.replace(",", "").isdigit() else cell for cell in r] for r in cells
        ]
    texts = {
        "=1": "'=1", "@a": "'@a", "-x": "'-x", "+1+cmd|x": "'+1+cmd|x", "\u00a0=1": "'=1", "-1.5": "-1.5",
        "+0.3": "+0.3", "-1.2 to 0.4": "-1.2 to 0.4", "1,234": "1234", 'a"b': 'a""b',
    }  # fmt: skip
    cells = page.execute_script("return arguments[0].map((innerText) => csvCell({ innerText }))", list(texts))
    assert cells == [f'"{text}"' for text in texts.values()]


def test_a_missed_entity_is_marked(page):
    """What is marked as missed is a gold entity."""
    choose(page, "kind", "missed")
    marks = all_of(page, "article mark.missed")
    assert marks
    for mark in marks:
        gold = mark.find_element("xpath", "ancestor::article").find_elements("css selector", "mark.gold")
        words, _, class_ = mark.text.removesuffix(", missed").rpartition(" ")
        assert f"{words} {class_}" in [g.text for g in gold]


def test_an_entity_that_overlaps_another_one_follows_the_sentence(page):
    """Gold 1-4 is missed while predicted 0-2 and 3-5 are paired with others."""
    text = page.execute_script(
        "const entities = [[1, 4, 'LOC', 'missed', 'missed'], [0, 2, 'PER', 'wrong', 'both'], "
        "[3, 5, 'ORG', 'wrong', 'both']];"
        "return line(['a', 'b', 'c', 'd', 'e'], entities).textContent;"
    )
    assert " ".join(text.split()) == "a b PER, both c d e ORG, both b c d LOC, missed"


def test_where_the_first_is_right_and_this_one_wrong(page):
    choose(page, "run", "<b>bad")
    every = int(count(page).split()[0])
    one(page, "[name=first]").click()
    assert 0 < int(count(page).split()[0]) < every
    for article in all_of(page, "article"):
        # Some error of this run is at words where the first run's line has none.
        good, bad = (
            {mark.text.split(" ")[0] for mark in line.find_elements("css selector", ".wrong, .missed")}
            for line in article.find_elements("css selector", ".side > :last-child")[1:3]
        )
        assert bad - good
    choose(page, "run", "good")
    assert count(page).startswith("0 of ")


def test_pages_turn_and_begin_at_their_top(page):
    one(page, "#next").click()
    assert "page 2 of 4" in count(page)
    page.execute_script("arguments[0].scrollIntoView()", all_of(page, "article")[-1])
    one(page, "#next").click()  # it stays in sight
    assert "page 3 of 4" in count(page)
    top = page.execute_script("return document.getElementById('browse').getBoundingClientRect().top")
    assert -1 < top < 300  # back at its top, but for a part of a pixel
    for shown in (2, 1, 1):
        one(page, "#previous").click()
        assert f"page {shown} of 4" in count(page)


def size(page, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def colours(page, scheme: str, media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features, "media": media})


def serious_findings(page) -> list:
    """What axe-core calls serious or critical: its rules, and the elements."""
    page.execute_script(AXE.read_text(encoding="utf-8"))
    audit = page.execute_async_script("const done = arguments[0]; axe.run().then(done, (e) => done({ error: `${e}` }))")
    # What every page has. A count of rules would follow how many kinds of elements a page has.
    passed = {rule["id"] for rule in audit["passes"]}
    assert {"color-contrast", "document-title", "html-has-lang", "landmark-one-main"} <= passed
    serious = [v for v in audit["violations"] if v["impact"] in ("serious", "critical")]
    return [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious]


def style(page, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return page.execute_script(script, selector, name)


def shown_pictures(page) -> list[str]:
    return [name for name in ("light", "dark") if style(page, f"img.{name}", "display") == "block"]


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(page, width):
    size(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    # Nor are a difference, its interval and verdict outside, or a part of the picture of them.
    edges = page.execute_script(
        "return [...document.querySelectorAll('figure img.light, .tables:nth-of-type(1) tr > :nth-child(4)')]"
        ".map((e) => e.getBoundingClientRect().right)"
    )
    assert len(edges) > 6 and max(edges) <= width


def test_print_has_whole_tables_and_no_controls(page):
    colours(page, "dark", "print")
    size(page, 680)  # the width of an A4 page
    cut = page.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter((s) => getComputedStyle(s).overflowX !== 'visible'"
        " || s.scrollWidth > document.documentElement.clientWidth).length"
    )
    assert cut == 0
    assert not any(one(page, selector).is_displayed() for selector in ("#filter", "#list", ".pager", "nav"))
    assert style(page, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert shown_pictures(page) == ["light"]
    pages = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"]).count(b"/Type /Page\n")
    assert 2 <= pages <= 12


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core in .venv/node_modules: make test fetches it by npm")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
def test_axe_finds_nothing_serious(page, scheme, width):
    colours(page, scheme)
    size(page, width)
    assert serious_findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_and_marks_suit_the_colours(page, scheme):
    colours(page, scheme)
    assert shown_pictures(page) == [scheme]
    ground = style(page, "body", "backgroundColor")
    assert ground == f"rgb{tuple(bytes.fromhex(PALETTES['' if scheme == 'light' else '-dark'][4][1:]))}"
    marks = ("right", "wrong", "missed")  # told apart by their lines, whatever the colours
    assert [style(page, f"mark.{m}", "borderBottomStyle") for m in marks] == ["solid", "dashed", "dotted"]


def test_long_names_stay_in_their_cells(page):
    """In the head of a confusion; and on a narrow screen, numbers beside names show, and short names are whole."""
    size(page, 400)
    over, widest, divided = page.execute_script("""
        const short = (name) => /^\\S{1,8}$/.test(name.textContent), lines = (name) => name.getClientRects().length;
        const divided = [...document.querySelectorAll("tbody th bdi")].filter((n) => short(n) && lines(n) > 1).length;
        for (const name of document.querySelectorAll(".shaded thead bdi, tbody th bdi"))
            name.textContent = "GEOPOLITICAL_ENTITY_OR_REGION";
        const heads = [...document.querySelectorAll(".shaded thead th")].map((th) => th.scrollWidth - th.clientWidth);
        const names = [...document.querySelectorAll("tbody th")].map((th) => th.getBoundingClientRect().width);
        return [Math.max(...heads), Math.max(...names), divided];
    """)
    assert over <= 1 and widest <= 200 and divided == 0
