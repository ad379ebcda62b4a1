"""The report's page in a real headless browser, and how its parts are found."""

import random
import shutil
from pathlib import Path

import pytest
from scored_runs import CLASSES, sentences, with_noise, write_run

import report

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_CHROMIUM = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver")

ATTACK = "<img src=x onerror=document.title='owned'>"
THIRD = "a_run_of_a_long_name_without_any_space_in_it"
RIGHT_TO_LEFT = "\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd"


def five_classes(rows: list[dict]) -> list[dict]:
    """The same with other class names in every second sentence, on both sides."""
    other = {"ORG": "DIS", "LOC": "ANIM"}

    def renamed(tags: list[str]) -> list[str]:
        return [t[:2] + other.get(t[2:], t[2:]) for t in tags]

    return [r | {s: renamed(r[s]) for s in ("gold", "predicted")} if i % 2 else r for i, r in enumerate(rows)]


def opened_page(folder: Path):
    """A report of three runs on five classes in a browser; some tokens are markup that would run if taken for it."""
    rows = sentences(random.Random(0), 120)
    rows[0]["tokens"][0] = ATTACK
    rows[1]["tokens"][0] = "</script><script>document.title='owned'</script>"
    rows[2]["tokens"][0] = RIGHT_TO_LEFT
    runs = [
        write_run(folder / name, five_classes(with_noise(rows, rate, i)), [*CLASSES, "ANIM", "DIS"])
        for i, (name, rate) in enumerate((("good", 0.1), ("<b>bad", 0.3), (THIRD, 0.12)))
    ]
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
    return browser


def all_of(page, selector: str):
    return page.find_elements("css selector", selector)


def one(page, selector: str):
    return page.find_element("css selector", selector)


def table_of(page, title: str):
    return next(t for t in all_of(page, "table") if title in t.find_element("css selector", "caption").text)
