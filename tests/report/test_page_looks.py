"""How the HTML report looks in a real headless browser: widths, print, accessibility and contrast."""

import base64
from pathlib import Path

import pytest
from report_page import NEEDS_CHROMIUM, all_of, one, opened_page, table_of

import report

pytestmark = [NEEDS_CHROMIUM, pytest.mark.slow]

AXE = Path(report.__file__).parent / ".venv" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    browser = opened_page(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.quit()


def size(page, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def colours(page, scheme: str, media: str = "") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features, "media": media})


def luminance(colour: str) -> float:
    channels = [int(c) / 255 for c in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, ground: str) -> float:
    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def style(page, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return page.execute_script(script, selector, name)


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(page, width):
    size(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_no_class_is_hidden_and_a_table_that_scrolls_says_so(page):
    size(page, 1280)
    wide = [s.get_attribute("aria-label") for s in all_of(page, ".scroll[role=region]")]
    assert wide == [] and not [hint for hint in all_of(page, ".hint") if hint.is_displayed()]
    for row in ("PER", "ORG", "LOC", "ANIM", "DIS"):
        assert table_of(page, "F1 on the shared classes").find_element("xpath", f".//th[.='{row}']").is_displayed()
    size(page, 400)
    scrolled = all_of(page, ".scroll[role=region]")
    assert scrolled and all(s.get_attribute("tabindex") == "0" for s in scrolled)
    assert len([hint for hint in all_of(page, ".hint") if hint.is_displayed()]) == len(scrolled)
    size(page, 1280)


def test_print_has_whole_tables_and_no_controls(page):
    colours(page, "dark", "print")
    size(page, 680)  # the width of an A4 page
    try:
        cut = page.execute_script(
            "return [...document.querySelectorAll('.scroll')].filter((s) => getComputedStyle(s).overflowX !== 'visible'"
            " || s.scrollWidth > document.documentElement.clientWidth).length"
        )
        assert cut == 0
        assert not any(one(page, selector).is_displayed() for selector in ("#filter", "#list", ".pager", "nav"))
        assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        pages = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"]).count(b"/Type /Page\n")
        assert 2 <= pages <= 12
    finally:
        colours(page, "light")
        size(page, 1280)


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core in .venv/node_modules: make test fetches it by npm")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, scheme, width):
    colours(page, scheme)
    size(page, width)
    page.execute_script(AXE.read_text(encoding="utf-8"))
    audit = page.execute_async_script("const done = arguments[0]; axe.run().then(done, (e) => done({ error: `${e}` }))")
    assert "error" not in audit and len(audit["passes"]) > 20
    serious = [v for v in audit["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in serious] == []
    colours(page, "light")
    size(page, 1280)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_in_light_and_dark(page, scheme):
    colours(page, scheme)
    ground = style(page, "body", "backgroundColor")
    assert contrast(style(page, "body", "color"), ground) >= 4.5  # WCAG 2, level AA
    assert contrast(style(page, "caption", "color"), ground) >= 4.5
    card = style(page, "article", "backgroundColor")
    for mark in ("gold", "right", "wrong"):
        assert contrast(style(page, f"mark.{mark}", "color"), style(page, f"mark.{mark}", "backgroundColor")) >= 4.5
    kinds = []
    for mark in ("right", "wrong", "missed"):  # told apart by their lines, whatever the colours
        assert contrast(style(page, f"mark.{mark}", "borderBottomColor"), card) >= 3
        kinds.append(style(page, f"mark.{mark}", "borderBottomStyle"))
    assert kinds == ["solid", "dashed", "dotted"]
    for series in range(3):
        assert contrast(style(page, f".drawing .s{series}", "stroke"), ground) >= 3
    assert contrast(style(page, ".drawing text", "fill"), ground) >= 4.5
    colours(page, "light")
