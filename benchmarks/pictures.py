"""The README's picture of a report, in light and in dark colours: the finding, the differences and their table.

    python -m benchmarks.pictures RUN_A RUN_B     # writes readmefiles/report-light.png and report-dark.png

Needs Debian's chromium and chromium-driver, and selenium from requirements-test.txt.
"""

import argparse
import base64
import shutil
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import report

FOLDER = Path(__file__).parent.parent / "readmefiles"
WIDTH, SCALE = 830, 1.2  # pixels of the page, and of the picture for each of these
TOP = """
const content = document.getElementById("parts"), first = (selector) => content.querySelector(selector);
content.replaceChildren(...content.querySelectorAll("#parts > p:not(h2 ~ p)"), first("figure"), first("h2 ~ .tables"));
content.querySelectorAll("caption a").forEach((link) => link.remove());
document.querySelector("section").remove();
const main = document.querySelector("main");
main.style.padding = "1rem 1.25rem 0.5rem";
return main.getBoundingClientRect().height;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, metavar="RUN")
    runs = parser.parse_args().runs
    browser = chromium()
    try:
        with tempfile.TemporaryDirectory() as folder:
            report.main([*runs, "--output_dir", folder])
            for scheme in ("light", "dark"):
                path = FOLDER / f"report-{scheme}.png"
                path.write_bytes(screenshot(browser, Path(folder, "report.html").as_uri(), scheme, WIDTH, TOP))
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
