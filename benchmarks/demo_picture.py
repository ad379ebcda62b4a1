"""The picture of the page that `demo.py` serves, in light and in dark colours: a text, and what two runs find in it.

    python -m benchmarks.demo_picture RUN_A RUN_B     # writes readmefiles/demo-light.png and demo-dark.png

Needs gradio from requirements-demo.txt, Debian's chromium and chromium-driver, and selenium from requirements-test.txt.
"""

import argparse
import subprocess
import sys

from benchmarks.pictures import FOLDER, chromium, screenshot

WIDTH = 1000  # pixels of the page
HEIGHT = """
const found = document.querySelector("#entities:has(mark)");
return found && found.getBoundingClientRect().bottom + 12;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, metavar="RUN")
    command = [sys.executable, "demo.py", *parser.parse_args().runs]
    browser = chromium()
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
        try:
            assert server.stdout
            address = server.stdout.readline().split()[1]
            for scheme in ("light", "dark"):
                path = FOLDER / f"demo-{scheme}.png"
                path.write_bytes(screenshot(browser, address, scheme, WIDTH, HEIGHT))
                print(f"wrote {path}")
        finally:
            browser.quit()
            server.terminate()


if __name__ == "__main__":
    main()
