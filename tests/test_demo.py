"""The page to try checkpoints on: what it marks and refuses, and in a real browser, what a person sees and can do."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from html import unescape
from importlib.util import find_spec

import pytest
import trained_runs
from conftest import ROOT
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from test_browser import AXE, NEEDS_CHROMIUM, all_of, chromium, colours, one, serious_findings, size, style

import demo
import inference
import train
from ner.tagging.output import Entity

ATTACK = "<img src=x onerror=document.title='owned'> ${1+1} {{value}} &amp; </p>"
HUES = {"<i>": 0, "LOC": 120}
A, SHORT, LOC = Entity("PER", "", 0, 8, 0.9), Entity("PER", "", 0, 3, 0.5), Entity("LOC", "", 0, 8, 0.7)


def without_labels(html: str) -> str:
    """The text of some HTML, apart from the labels of its marks."""
    return unescape(re.sub(" <small>.*?</small>|<[^>]*>", "", html))


@pytest.mark.parametrize(
    ("found", "known", "dashed"),
    [
        ([[A]], [["PER"]], [[False]]),
        ([[A], [replace(A, score=0.1)]], [["PER"], ["PER"]], [[False], [False]]),
        ([[A], [SHORT]], [["PER"], ["PER"]], [[True], [True]]),
        ([[A], [], [A]], [["PER"], ["PER"], ["PER"]], [[True], [], [True]]),
        ([[LOC], []], [["PER", "LOC"], ["PER"]], [[False], []]),  # it cannot have found a LOC
        ([[LOC], [A]], [["PER", "LOC"], ["PER"]], [[False], [True]]),
    ],
)
def test_what_another_checkpoint_could_have_found_and_did_not_differs(found, known, dashed):
    marks = demo.compared(found, known)
    assert [[mark[-1] for mark in some] for some in marks] == dashed
    assert all(("differs" in note) == dashed for some in marks for *_, note, dashed in some)


def test_a_marked_text_is_the_text_with_labels():
    text = f"{ATTACK}\tBergen  {ATTACK}"
    place = text.index("Bergen")
    marks = [(0, 4, "<i>", "0.75", True), (place, place + 6, "LOC", "0.50", False)]
    html = demo.marked(text, marks, HUES)
    assert without_labels(html) == text
    assert re.findall("<small>(.*?)</small>", html) == ["&lt;i&gt; 0.75", "LOC 0.50"]
    assert re.findall(r"<(/?\w+)", html) == ["p", *["mark", "small", "/small", "/mark"] * 2, "/p"]


def test_refusals(fails, tmp_path, monkeypatch):
    assert "found no folder" in fails(demo.main, tmp_path / "nowhere")
    (tmp_path / "config.json").touch()
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert "pip install -r requirements-demo.txt" in fails(demo.main, tmp_path)


# In the browser: a tagger of all classes and a masked one, trained on the tiny corpus.
NAMES = ["<b>all", "masked"]
SELECTED = ("PER", "ORG", "LOC", "DIS", "ANIM")


def needs_browser(test):
    needs_gradio = pytest.mark.skipif(not find_spec("gradio"), reason="needs gradio, of requirements-demo.txt")
    return pytest.mark.slow(NEEDS_CHROMIUM(needs_gradio(test)))


@pytest.fixture(scope="module")
def folder(corpus, encoders, masked_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(masked_run, folder / "masked")
    train.main(trained_runs.argv(corpus, encoders["bert"], folder / "<b>all", "--num_train_epochs", "8"))
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """Where the page is. A proxy that would see what the program asks for elsewhere must be asked for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = os.environ | dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), url)
        environment |= {"GRADIO_SHARE": "True", "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_ANALYTICS_ENABLED": "True"}
        before = sorted(folder.rglob("*"))
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "demo.py"), *NAMES],
            cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        line = process.stdout.readline()
        try:
            yield re.fullmatch(r"open (http://127\.0\.0\.1:\d+/) in a browser; Ctrl\+C ends the page\n", line)[1]
        finally:
            process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
        assert sorted(folder.rglob("*")) == before
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture
def page(browser, address):
    """The page as somebody sees it who has just opened it."""
    size(browser, 1280)
    colours(browser, "light")
    return opened(browser, address)


def opened(page, address):
    page.get(address)
    until(page, lambda: entities(page))
    return page


def until(page, holds) -> None:
    """Waits until that holds; elements come and go meanwhile."""
    waiting = WebDriverWait(page, 300, ignored_exceptions=[WebDriverException])
    waiting.until(lambda page: holds())


def entities(page) -> list[list[str]]:
    """What is marked in each column, with its class."""
    columns = all_of(page, "#entities section")
    marks = [column.find_elements("css selector", "mark") for column in columns]
    return [[re.sub(r" \d\.\d\d", "", mark.text) for mark in some] for some in marks]


def write(page, text: str) -> None:
    one(page, "textarea").send_keys(Keys.CONTROL, "a", Keys.NULL, text)


def expected(folder, capsys, text: str, *options: str) -> list[list[str]]:
    """What inference.py finds in the lines of a text, as the page shows it."""
    path = folder.parent / "lines.txt"
    path.write_text(text)
    found = []
    for name in NAMES:
        capsys.readouterr()
        argv = ["--checkpoint", str(folder / name), "--input_file", str(path), "--use_cpu", "true", *options]
        inference.main(argv)
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        found.append(
            [(i, e["start"], e["end"], e["text"], e["type"]) for i, line in enumerate(lines) for e in line["entities"]]
        )
    full, masked = found
    return [
        [f"{e[-2]} {e[-1]}" + ", differs" * (e[-1] in SELECTED and e not in masked) for e in full],
        [f"{e[-2]} {e[-1]}" + ", differs" * (e not in full) for e in masked],
    ]


@needs_browser
def test_text_is_tagged_as_it_is_typed(page, folder, capsys):
    text = f"the grey wolf of Bergen ate rye bread\nrabies {ATTACK} in Peru"
    write(page, text)
    found = expected(folder, capsys, text)
    assert "rye bread FOOD" in found[0] and "Bergen LOC" in found[1]
    until(page, lambda: entities(page) == found)
    assert [heading.text for heading in all_of(page, "#entities h3")] == NAMES
    lines = [without_labels(p.get_attribute("outerHTML")) for p in all_of(page, "#entities .text")]
    assert lines == 2 * text.split("\n")
    assert page.title == "Named entities" and not all_of(page, "#entities img")


@needs_browser
def test_an_example_and_the_slider_by_keyboard(page, folder, capsys):
    buttons = [button for button in all_of(page, "button") if button.text in demo.EXAMPLES]
    assert [button.text for button in buttons] == list(demo.EXAMPLES)
    buttons[3].send_keys(Keys.ENTER)
    found = expected(folder, capsys, demo.EXAMPLES[3])
    until(page, lambda: entities(page) == found)
    fewer = expected(folder, capsys, demo.EXAMPLES[3], "--min_score", "1")
    assert fewer != found
    slider = one(page, "input[type=range]")
    slider.send_keys(Keys.END)
    until(page, lambda: entities(page) == fewer)
    slider.send_keys(Keys.HOME)
    until(page, lambda: entities(page) == found)
    focused = "return document.activeElement.type"
    one(page, "textarea").send_keys(Keys.TAB)
    stops = [page.execute_script(focused)]
    for _ in range(2):
        page.switch_to.active_element.send_keys(Keys.TAB)
        stops.append(page.execute_script(focused))
    assert "range" in stops


@needs_browser
def test_it_asks_only_its_own_address_and_serves_only_this_machine(page, address):
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    sent = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    own = (address, "data:", "chrome:", "chrome-untrusted:")  # the last two are the browser's, of a new tab
    elsewhere = [url for url in urls if not url.startswith(own)]
    assert len(urls) > 20 and elsewhere == []
    port = int(address.rstrip("/").rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port))


@needs_browser
@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core in .venv/node_modules: make test fetches it by npm")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_suits_colours_and_width_and_axe_finds_nothing_serious(page, address, scheme, width):
    colours(page, scheme)
    size(page, width)
    opened(page, address)
    assert (style(page, "body", "backgroundColor") == "rgb(255, 255, 255)") == (scheme == "light")
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    columns = [section.rect["x"] for section in all_of(page, "#entities section")]
    assert (columns[0] == columns[1]) == (width == 400)
    assert style(page, "mark.dashed", "borderTopStyle") == "dashed"
    assert serious_findings(page) == []
