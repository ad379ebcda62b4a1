"""The HTML report in a real headless browser: what a person sees and can do."""

import random
import re
import shutil

import pytest
from test_report import CLASSES, sentences, with_noise, write_run

import report

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver")

ATTACK = "<img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of two runs in a browser; some tokens are markup that would run if it were taken for it."""
    folder = tmp_path_factory.mktemp("browser")
    rows = sentences(random.Random(0), 120)
    rows[0]["tokens"][0] = ATTACK
    rows[1]["tokens"][0] = "</script><script>document.title='owned'</script>"
    runs = [write_run(folder / name, with_noise(rows, rate, i), CLASSES) for i, (name, rate) in enumerate(
        (("good", 0.1), ("<b>bad", 0.3))
    )]  # fmt: skip
    report.main([*map(str, runs), "--output_dir", str(folder / "report")])
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", f"user-data-dir={folder / 'profile'}"):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    browser.set_window_size(1280, 900)
    browser.get((folder / "report" / "report.html").as_uri())
    yield browser
    browser.quit()


def all_of(page, selector: str):
    return page.find_elements("css selector", selector)


def one(page, selector: str):
    return page.find_element("css selector", selector)


def choose(page, name: str, text: str) -> None:
    page.execute_script(
        "const s = document.getElementById(arguments[0]);"
        "s.value = [...s.options].find((o) => o.text === arguments[1]).value;"
        "s.dispatchEvent(new Event('input', {bubbles: true}));",
        name, text,
    )  # fmt: skip


def test_the_page_runs_without_errors_and_asks_for_nothing(page):
    assert page.title == "Comparison of runs"
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    requested = [e["message"] for e in page.get_log("performance") if "Network.requestWillBeSent" in e["message"]]
    assert requested and not any('"url":"http' in message for message in requested)
    assert len(all_of(page, "table")) >= 6 and len(all_of(page, "img")) >= 3
    assert all(page.execute_script("return arguments[0].naturalWidth > 0", img) for img in all_of(page, "img"))


def test_tokens_and_names_are_text(page):
    assert one(page, "article").text.count(ATTACK) >= 1
    assert page.title == "Comparison of runs"
    assert "<b>bad" in one(page, "#report").text
    assert not all_of(page, "article img") and not all_of(page, "#report b")


def test_tables_sort_by_mouse_and_by_keyboard(page):
    table = all_of(page, "table")[0]
    button = table.find_elements("css selector", "th button")[2]

    def column() -> list[float]:
        return [float(row.find_elements("tag name", "td")[2].text.split()[0]) for row in
                table.find_elements("css selector", "tbody tr")]  # fmt: skip

    button.click()
    assert column() == sorted(column(), reverse=True)
    button.send_keys("\ue007")  # Enter
    assert column() == sorted(column())
    assert table.find_elements("css selector", "th")[2].get_attribute("aria-sort") == "ascending"


def test_differences_sort_by_their_number(page):
    table = next(t for t in all_of(page, "table") if "against" in t.find_element("css selector", "caption").text)
    table.find_elements("css selector", "th button")[1].click()
    cells = [row.find_elements("tag name", "td")[1].text for row in table.find_elements("css selector", "tbody tr")]
    numbers = [float(re.search(r"[-+][0-9.]+", cell)[0]) for cell in cells]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) > 2


def test_sentences_are_filtered_by_class_and_by_kind_of_error(page):
    choose(page, "kind", "missed")
    choose(page, "class", "ORG")
    articles = all_of(page, "article")
    assert articles
    assert all("missed: " in a.text and "ORG" in a.text for a in articles)
    missed = one(page, "#count").text
    choose(page, "kind", "any sentence")
    choose(page, "class", "any")
    assert one(page, "#count").text.startswith("120 of 120 sentences") and missed != one(page, "#count").text
    one(page, "#words").send_keys("w7.")
    assert one(page, "#count").text.startswith("1 of 120")
    one(page, "#words").send_keys("\b\b\b")


def test_pages_turn_by_button_and_by_key(page):
    one(page, "#next").click()
    assert "page 2 of 5" in one(page, "#count").text
    one(page, "body").send_keys("\ue014")  # right arrow
    assert "page 3 of 5" in one(page, "#count").text
    one(page, "#back").click()
    assert "page 2 of 5" in one(page, "#count").text


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(page, width):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def luminance(colour: str) -> float:
        channels = [int(c) / 255 for c in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for selector, ground in (
        ("body", "body"),
        (".soft", "body"),
        ("mark.gold", "mark.gold"),
        ("mark.wrong", "mark.wrong"),
    ):
        colours = page.execute_script(
            "const c = (s) => getComputedStyle(document.querySelector(s));"
            "return [c(arguments[0]).color, c(arguments[1]).backgroundColor];", selector, ground,
        )  # fmt: skip
        light, dark = sorted(map(luminance, colours), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (selector, colours)  # WCAG 2, level AA
