"""The picture of the page that `demo.py` serves, in light and in dark colours: a text, and what two runs find in it.

    python -m benchmarks.demo_picture RUN_A RUN_B     # writes readmefiles/demo-light.png and demo-dark.png

Needs gradio from requirements-demo.txt, Debian's chromium and chromium-driver, and selenium from requirements-test.txt.
"""

import argparse
import base64
import shutil
import subprocess
import sys

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.pictures import FOLDER, SCALE

WIDTH = 1000  # pixels of the page
HEIGHT = "const found = document.querySelector('#entities:has(mark)'); return found?.getBoundingClientRect().bottom"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, metavar="RUN")
    command = [sys.executable, "demo.py", *parser.parse_args().runs]
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
        try:
            assert server.stdout
            address = server.stdout.readline().split()[1]
            for scheme in ("light", "dark"):
                path = FOLDER / f"demo-{scheme}.png"
                path.write_bytes(screenshot(browser, address, scheme))
                print(f"wrote {path}")
        finally:
            browser.quit()
            server.terminate()


def screenshot(browser: webdriver.Chrome, address: str, scheme: str) -> bytes:
    """The page down to the entities as a PNG file; `scheme` is light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": WIDTH, "height": 900, "deviceScaleFactor": SCALE, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    height = WebDriverWait(browser, 300).until(lambda browser: browser.execute_script(HEIGHT))
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height + 12, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()
