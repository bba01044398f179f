"""The page of two audits in a real browser: at two widths, light and dark, and what axe says."""

from __future__ import annotations

import os
import shutil

import pytest

from evenhand.render.changes import changes_html
from evenhand.render.gains import changes_of
from made import bundle_of, contrast, group, pair

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [
    pytest.mark.slow,
    # Of the browser's driver, which opens and leaves them.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOTS = os.environ.get("EVENHAND_SCREENSHOTS")
"""A folder for pictures of every page, to be looked at."""


def audit(men: float, women: float, old: float):
    """Return an audit with every kind of change: levelled, shifted, shares, pairs, suppressed."""
    neither = {"better": "neither direction"}
    shares = [group("men", men, target=0.5), group("women", 1 - men, target=0.5)]
    long = "people whose group has a name that is longer than a telephone is wide"
    return bundle_of(
        contrast(
            group("men", men),
            group("women", women),
            group("few", None),
            key="difference(accuracy, by=g)",
            measure="accuracy",
            conventions={"better": "higher"},
        ),
        contrast(group("old", old), group(long, women), group("unknown", 0.2, compared=False)),
        contrast(
            *shares,
            key="shares(exposure@8, of=g, target=equal)",
            measure="exposure@8",
            contrast="shares",
            conventions=neither,
        ),
        contrast(
            group("a", men),
            group("b", women),
            measure="rate",
            key="difference(rate, by=g)",
            conventions=neither,
        ),
        pair("a", "b"),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    changes = changes_of(audit(0.9, 0.3, 0.4), audit(0.5, 0.3, 0.6))
    assert {one.state for one in changes.levelled} >= {"levelled_down", "shifted", "not_shown"}
    path = tmp_path_factory.mktemp("changes") / "changes.html"
    path.write_text(changes_html(changes))
    return path


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_page_is_whole_and_accessible(chromium, path, scheme, width, height):
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said = []
    page.on("console", lambda told: said.append(told.text))
    page.on("request", lambda asked: said.append(asked.url))
    page.goto(path.as_uri())
    assert said == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).count() == 1
    # Every number is beside its picture and on the screen, at any width.
    row = page.locator("table.moves tr.lost").first
    assert all(row.get_by_text(text, exact=True).is_visible() for text in ("0.9000", "0.5000"))
    box = row.locator("svg.dumbbell").bounding_box()
    assert box["width"] > 200
    assert box["x"] + box["width"] <= width
    tags = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
    found = axe.Axe().run(page, options={"runOnly": tags})
    assert not found.response["violations"], found.generate_report()
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/changes-{scheme}-{width}.png", full_page=True)
    context.close()
