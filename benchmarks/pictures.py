"""Pictures of two runs in light and in dark colours: the README's of a report, or that of the page of `demo.py`.

    python -m benchmarks.pictures RUN_A RUN_B            # writes readmefiles/report-light.png and report-dark.png
    python -m benchmarks.pictures RUN_A RUN_B --demo     # writes readmefiles/demo-light.png and demo-dark.png

Needs Debian's chromium and chromium-driver, and selenium from requirements-test.txt; `--demo` also gradio from
requirements-demo.txt.
"""

import argparse
import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import report

FOLDER = Path(__file__).parent.parent / "readmefiles"
SCALE = 1.2  # pixels of a picture for each of the page
REPORT_TOP = """  // the finding, the differences and their table
const content = document.getElementById("parts"), first = (selector) => content.querySelector(selector);
content.replaceChildren(...content.querySelectorAll("#parts > p:not(h2 ~ p)"), first("figure"), first("h2 ~ .tables"));
content.querySelectorAll("caption a").forEach((link) => link.remove());
document.querySelector("section").remove();
const main = document.querySelector("main");
main.style.padding = "1rem 1.25rem 0.5rem";
return main.getBoundingClientRect().height;
"""
DEMO_TOP = """
const found = document.querySelector("#entities:has(mark)");
return found && found.getBoundingClientRect().bottom + 12;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, metavar="RUN")
    parser.add_argument("--demo", action="store_true")
    options = parser.parse_args()
    if not options.demo:
        with tempfile.TemporaryDirectory() as folder:
            report.main([*options.runs, "--output_dir", folder])
            draw("report", Path(folder, "report.html").as_uri(), 830, REPORT_TOP)
        return
    command = [sys.executable, "demo.py", *options.runs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
        try:
            assert server.stdout
            draw("demo", server.stdout.readline().split()[1], 1000, DEMO_TOP)
        finally:
            server.terminate()


def draw(name: str, address: str, width: int, height: str) -> None:
    """Writes the pictures of a page, as `screenshot` makes them."""
    browser = chromium()
    try:
        for scheme in ("light", "dark"):
            path = FOLDER / f"{name}-{scheme}.png"
            path.write_bytes(screenshot(browser, address, scheme, width, height))
            print(f"wrote {path}")
    finally:
        browser.quit()


def chromium() -> webdriver.Chrome:
    """A browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def screenshot(browser: webdriver.Chrome, address: str, scheme: str, width: int, height: str) -> bytes:
    """The top of a page as a PNG file; `scheme` is light or dark, `height` a script that returns it once it is known.

    Width and height are in CSS pixels.
    """
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": SCALE, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    top = WebDriverWait(browser, 300).until(lambda browser: browser.execute_script(height))
    clip = {"x": 0, "y": 0, "width": width, "height": top, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()
