"""A newcomer's path through the demonstration's centre in a real browser, and what axe says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [
    pytest.mark.slow,
    # Of the browser's driver, which opens and leaves them.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

EVENHAND = str(Path(sys.executable).with_name("evenhand"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOTS = os.environ.get("EVENHAND_SCREENSHOTS")
"""A folder for pictures of every page, to be looked at."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """What `evenhand serve` tells of the demonstration's centre, while it runs."""
    folder = tmp_path_factory.mktemp("demo")
    made = [EVENHAND, "demo", "--out", str(folder), "--centre"]
    nothing = {**os.environ, "EVENHAND_DATA": str(folder / "nothing")}
    subprocess.run(made, check=True, capture_output=True, env=nothing)  # noqa: S603
    centre = folder / "centre"
    words = [EVENHAND, "serve", "--port", "0", "--json", "--root", str(centre / "rows")]
    process = subprocess.Popen(  # noqa: S603
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "EVENHAND_HOME": str(centre)},
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def page(request, chromium):
    """A page of a new browser, at two widths; what it complains of is kept in `page.said`."""
    width, height = request.param
    context = chromium.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    opened.said = []
    opened.on("console", lambda told: opened.said.append(told.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.width = width
    yield opened
    context.close()


def looked_at(page, name):
    """Check what holds of every page, and keep a picture of it where a folder is named."""
    # A link that was followed may still lead away from the page before.
    page.wait_for_load_state()
    page.wait_for_function(
        "document.readyState === 'complete' && document.documentElement !== null"
    )
    assert not page.said, page.said
    assert page.evaluate("document.documentElement.scrollWidth") <= page.width, name
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert not found.response["violations"], found.generate_report()
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}-{page.width}.png", full_page=True)


def test_a_newcomer_finds_the_red_gate_and_what_is_behind_it(served, page, tmp_path):
    page.goto(served["url"])
    assert page.get_by_role("heading", level=1).inner_text() == "1 of 6 products has a red gate"
    looked_at(page, "company")

    page.locator("td.cell.fail a").click()
    verdict = page.locator("tr.fail", has_text="wrongly-removed")
    assert "95% sure that it is at least 0.0" in verdict.inner_text()
    assert "Hindi against Spanish" in verdict.inner_text()
    looked_at(page, "audit")

    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile(r"^Report")).click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    assert "wrongly-removed" in report.read_text()
    assert report.stat().st_size < 2_000_000

    page.get_by_role("link", name="wrongly-removed").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("difference(false_positive")
    assert page.locator("figure svg, svg[viewBox]").count() > 0
    assert "suppressed" in page.locator("main").inner_text()
    looked_at(page, "finding")

    page.go_back()
    page.get_by_role("button", name="Compare").click()
    assert "v7" in page.get_by_role("heading", level=1).inner_text()
    main = page.locator("main").inner_text()
    assert "difference(false_positive_rate, by=language)" in main
    looked_at(page, "compare")


PAGES = [
    "/products/short%20videos",
    "/products/short%20videos/models/moderation",
    "/products/short%20videos/models/moderation/versions/v8",
    "/products/lending",
    "/products/lending/models/credit%20score/versions/v3",
    "/products/feed/time",
    "/products/paper%20forms",
    "/products/short%20videos/waivers",
    "/jobs",
    "/policies",
    "/search?q=difference",
    "/?state=undecided",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_accessible(served, page, path):
    page.goto(served["url"] + path)
    assert page.get_by_role("heading", level=1).count() == 1
    looked_at(page, re.sub(r"\W+", "-", path).strip("-"))


@pytest.mark.parametrize("product", ["feed", "library search", "lending", "comments"])
def test_bundles_of_every_kind_are_shown(served, page, product):
    page.goto(f"{served['url']}/products/{product}")
    page.locator("a[href^='/audits/']").first.click()
    looked_at(page, f"audit-{product}")
    finding = page.locator("a[href*='/findings/']").first
    finding.click()
    looked_at(page, f"finding-{product}")


def test_an_undefined_figure_says_why(served, page):
    page.goto(f"{served['url']}/products/lending")
    page.locator("a[href^='/audits/']").first.click()
    undefined = page.locator("tr", has_text="Undefined").filter(has_text="true_positive_rate")
    undefined.get_by_role("link").first.click()
    said = page.locator("main").inner_text()
    assert "label is missing for 42 of 90 rows, observed only where prediction is 1" in said
    looked_at(page, "finding-undefined")


def test_the_first_run_page_audits_a_file(served, chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.said, page.width = [], 1280
    page.on("console", lambda told: page.said.append(told.text))
    page.goto(served["open"])  # lets one browser in, once
    page.get_by_role("link", name="Audit a file").click()
    looked_at(page, "start")
    page.get_by_role("link", name="moderation.csv").click()
    plan = page.get_by_role("textbox", name=re.compile("plan", re.IGNORECASE))
    assert "removed" in plan.input_value()
    looked_at(page, "start-plan")
    for name, value in (("product", "trial"), ("model", "mine"), ("version", "v1")):
        page.locator(f"main input[name={name}]").fill(value)
    page.get_by_role("button", name=re.compile("audit", re.IGNORECASE)).click()
    seen = page.get_by_role("link", name="See the audit")
    seen.wait_for(timeout=90_000)
    looked_at(page, "job")
    seen.click()
    assert "trial" in page.locator("main").inner_text()
    looked_at(page, "start-audit")
    context.close()
