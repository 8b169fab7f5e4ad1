"""How long the report's page of 100 videos takes to write and to open, and how large it is. By hand:

    python -m tests.benchmarks.report [--videos 100] [--json]

Each video has 3000 frames, 7 emotions and 20 expressions, each case five pictures. First paint is what a headless
Chromium says of the page opened from disk; the least of three is told. Wanted: 20 s to write, 15 MB, 1.5 s to paint.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.stages.page.invented_document import SEVEN, document, write

REPETITIONS = 3
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
ALIVE = "document.querySelector('#v0 .plot svg') && performance.now()"


def opened(path: Path, executable: str) -> dict[str, float]:
    """Return the seconds to first paint, and to the first timeline, of a page opened in a fresh Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        alive = page.wait_for_function(ALIVE).json_value()
        paint = page.wait_for_function(PAINT).json_value()
        browser.close()
    return {"first paint s": paint / 1000, "first timeline s": alive / 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    told = document(videos=given.videos, frames=3000, expressions=20, classes=SEVEN)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        path = write(Path(folder), told)
        figures = {"write s": time.perf_counter() - begun, "megabytes": path.stat().st_size / 1e6}
        if executable := shutil.which("chromium"):
            runs = [opened(path, executable) for _ in range(REPETITIONS)]
            figures |= {name: min(run[name] for run in runs) for name in runs[0]}
    print(json.dumps(figures) if given.json else "\n".join(f"{name:18}{value:8.2f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
