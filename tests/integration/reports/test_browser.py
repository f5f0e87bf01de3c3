from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from infra.adapters.process import run
from infra.reports.page import render_page
from tests.support.report import LONG, check, document

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
RUN_SECONDS = 120.0
PHONE, DESK = 390, 1280
MEASURE = """<script>addEventListener("load", () => {
  const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5);
  const small = [...document.querySelectorAll("figure > svg")].filter(e => e.getBoundingClientRect().height < 80);
  const loaded = performance.getEntriesByType("resource").length;
  document.title = [document.documentElement.scrollWidth, innerWidth, wide.length, small.length, loaded].join(" ");
});</script>"""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy".*?>')

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed (apt-get install chromium)")


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("outcome", ["released", "reverted"])
def test_the_page_fits_its_window(width: int, outcome: str, tmp_path: Path) -> None:
    """At phone and desk width nothing is wider than the window, plots are large enough, and nothing is loaded."""
    wide = {**check(passed=False), "came": LONG * 3, "target": "candidate " + LONG}
    page = render_page(
        document(outcome=outcome, reason=LONG * 4, checks=[check(passed=True), wide], warnings=[LONG * 3])
    )
    frame = tmp_path / "frame.html"
    # The browser's own window is never narrower than 500 pixels; a frame is as narrow as a phone.
    (tmp_path / "page.html").write_text(POLICY.sub("", page).replace("</head>", f"{MEASURE}</head>"), encoding="utf-8")
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    assert BROWSER is not None
    arguments = [
        "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000", "--dump-dom", f"file://{frame}",
    ]  # fmt: skip
    dom = run([BROWSER, *arguments], timeout_seconds=RUN_SECONDS).stdout
    found = re.search(r"<title>(\d+) (\d+) (\d+) (\d+) (\d+)</title>", dom)
    assert found, dom[:500]
    scroll_width, inner_width, too_wide, too_small, loaded = map(int, found.groups())
    assert inner_width == width
    assert scroll_width <= width
    assert (too_wide, too_small, loaded) == (0, 0, 0)


FRAME = """<!DOCTYPE html><title>waiting</title><body style="margin:0">
<iframe src="page.html" style="border:0;width:WIDTHpx;height:900px"></iframe>
<script>addEventListener("load", () => {
  const copy = () => { document.title = frames[0].document.title; };
  copy();
  setTimeout(copy, 500);
});</script>"""
