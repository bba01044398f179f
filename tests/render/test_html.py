"""The page: one small file that asks for nothing, shows no small group and hides no finding."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from evenhand.audits.evidence.bundle import Input
from evenhand.audits.gate.verdict import UndecidedGroup
from evenhand.render import svg
from evenhand.render.html import FORMAT, LIMIT, asset
from evenhand.render.rule import undecided
from evenhand.render.svg import can_draw
from made import SECRET, bundle_of, contrast, group, pair

HOSTILE = '<script>alert(1)</script>"><img src=http://x.example/>'

drawn = pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")


def without_program(page: str) -> str:
    """Return a page as a browser without scripts sees it."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(bundle):
    return FORMAT.render(bundle)


@pytest.fixture
def bare(monkeypatch):
    """No vl-convert, so that a page is made in no time."""
    monkeypatch.setattr(svg, "can_draw", lambda: False)


# --- What is on it. ---


def test_the_verdict_comes_before_every_other_heading(page):
    headings = re.findall(r"<h2.*?</h2>", page, re.DOTALL)
    assert ">fail</span>" in headings[0]
    assert "Of 4 checks of 3 rules, " in page


def test_every_finding_has_its_key_on_the_page(page, bundle):
    text = Elements(without_program(page)).text
    assert {finding.key for finding in bundle.findings if finding.key not in text} == set()


def test_every_rule_has_its_reason_and_its_waiver(page, bundle):
    text = Elements(without_program(page)).text.lower()
    for rule in bundle.rules:
        assert rule.reason.removeprefix(f"{rule.verdict}: ").lower() in text
    assert "waived until 2027-01-31 by someone@example.org" in text


def test_every_reason_of_an_undefined_figure_is_said(page, bundle):
    text = Elements(without_program(page)).text
    reasons = [finding.undefined for finding in bundle.findings if finding.undefined]
    assert reasons
    for reason in reasons:
        assert reason in text


def test_each_verdict_has_a_word_and_a_shape_beside_its_colour(page):
    for verdict in ("fail", "pass", "undecided"):
        assert re.search(rf'<span class="mark {verdict}"><svg.*?</svg>{verdict}</span>', page)


def test_links_inside_the_page_lead_somewhere(page):
    elements = Elements(without_program(page)).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len({*ids})
    targets = {a["href"].removeprefix("#") for _, a in elements if "href" in a}
    assert targets <= {*ids}


def test_headings_go_down_one_step_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in Elements(page).found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_have_captions_and_headings_with_a_scope(page):
    elements = Elements(without_program(page)).found
    tables = sum(tag == "table" for tag, _ in elements)
    assert tables == sum(tag == "caption" for tag, _ in elements) > 0
    assert all("scope" in attributes for tag, attributes in elements if tag == "th")


# --- What it never does. ---


def test_nothing_on_the_page_asks_for_anything(page):
    elements = Elements(without_program(page)).found
    asking = {"src", "srcset", "action", "data", "poster", "background"}
    assert not [attributes for _, attributes in elements if asking & attributes.keys()]
    assert all(a["href"].startswith("#") for _, a in elements if "href" in a)
    assert not {"link", "iframe", "img", "form", "object"} & {tag for tag, _ in elements}
    assert "default-src &#39;none&#39;" in page
    assert "unsafe-eval" not in page
    assert "@import" not in page


@drawn
def test_the_policy_allows_the_one_program_of_the_page(page):
    import base64
    import hashlib

    (program,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page


@drawn
def test_pictures_are_there_when_scripts_are_off(page):
    still = without_program(page)
    assert still.count("<svg xmlns") > 2
    assert "African" not in still
    assert "currentColor" in still


def test_hostile_names_are_only_text():
    one = contrast(group(HOSTILE, 0.3), group("b", 0.5))
    family = [pair(HOSTILE, "b"), pair("b", HOSTILE)]
    page = FORMAT.render(bundle_of(one, *family))
    tags = Elements(page).found
    assert "img" not in {tag for tag, _ in tags}
    assert "<script>alert" not in page
    assert "alert(1)" in page


def test_signs_that_cannot_be_seen_do_not_break_a_page():
    page = FORMAT.render(bundle_of(contrast(group("a\x00\x01\u202eb", 0.3), group("c", 0.5))))
    assert "a\ufffd\ufffd\ufffdb" in page


@pytest.mark.usefixtures("bare")
def test_a_very_long_name_is_cut():
    page = FORMAT.render(bundle_of(contrast(group("x" * 100_000, 0.3), group("b", 0.5))))
    assert len(page) < 50_000


def test_suppressed_groups_show_neither_figures_nor_counts():
    one = contrast(group("a", 0.3), group("b", 0.5), group("small", None))
    page = FORMAT.render(bundle_of(one))
    assert "suppressed: fewer than 30 units" in page
    assert str(SECRET) not in page
    assert f"{SECRET:,}" not in page


def test_counts_of_pairs_with_a_suppressed_group_are_not_shown():
    from evenhand.stats.estimate import Undefined

    missing = Undefined("small: fewer than 30 units")
    page = FORMAT.render(bundle_of(pair("a", "b"), pair("a", "small", missing, rows=SECRET)))
    assert f"{SECRET:,}" not in page


def test_the_units_of_a_small_undecided_group_are_not_shown():
    small = UndecidedGroup({"g": "small"}, None, "fewer than 30 units")
    assert undecided(small) == "small: fewer than 30 units"
    other = UndecidedGroup({"g": "b"}, 70, "its interval contains the limit")
    assert undecided(other) == "b (70 units): its interval contains the limit"


@pytest.mark.usefixtures("bare")
def test_of_many_inputs_the_rest_is_counted():
    files = tuple(Input(f"part-{place}.parquet", 1, None) for place in range(1_234))
    page = FORMAT.render(replace(bundle_of(), inputs=files))
    assert "part-99.parquet" in page
    assert "1,134 more files" in page


# --- How it looks. ---


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast_ratio(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_its_ground_in_light_and_dark(scheme):
    style = asset("report.css")
    rules = re.findall(r"\.evenhand(?:\.page)?\{(--ink:#.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+):#([0-9a-f]{3,6})", rules[scheme == "dark"]))
    for text in ("ink", "quiet", "link", "fail", "pass", "undecided"):
        for ground in ("paper", "sunk"):
            assert contrast_ratio(colours[text], colours[ground]) >= 4.5
    for verdict in ("fail", "pass", "undecided"):
        for text in ("ink", verdict):
            assert contrast_ratio(colours[text], colours[f"{verdict}-sunk"]) >= 4.5
    assert contrast_ratio(colours["mark"], colours["paper"]) >= 3


# --- How large it is. ---


def many(count: int, groups: int):
    return [
        contrast(
            *(group(f"group {n} of {place}", (n + 1) / (groups + 2)) for n in range(groups)),
            key=f"difference(accuracy, by=g{place})",
            measure=f"measure_{place % 36}",
        )
        for place in range(count)
    ]


@drawn
@pytest.mark.slow
def test_five_hundred_findings_stay_under_the_limit_and_have_their_keys():
    findings = many(500, 12)
    page = FORMAT.render(bundle_of(*findings))
    assert len(page.encode()) <= LIMIT
    text = Elements(without_program(page)).text
    assert all(finding.key in text for finding in findings)
    assert "this page draws" in text


@pytest.mark.usefixtures("bare")
@pytest.mark.slow
def test_ten_thousand_findings_stay_under_the_limit_and_it_is_said():
    page = FORMAT.render(bundle_of(*many(10_000, 2)))
    assert len(page.encode()) <= LIMIT
    assert "more findings are only in the evidence file" in page


@pytest.mark.usefixtures("bare")
def test_of_two_thousand_groups_the_ends_are_shown_and_the_rest_counted():
    groups = [group(f"g{n}", n / 2000) for n in range(2000)]
    page = FORMAT.render(bundle_of(contrast(*groups)))
    assert "1,970 groups between these are in the evidence file" in page
    assert ">g0<" in page
    assert ">g1999<" in page
    assert ">g1000<" not in page


@pytest.mark.usefixtures("bare")
def test_without_the_extra_there_are_tables_and_the_line_that_installs_it():
    page = FORMAT.render(bundle_of(contrast(group("a", 0.3), group("b", 0.5))))
    assert "pip install &#39;evenhand[report]&#39;" in page
    assert "<details open>" in page
    assert "<script" not in page


def test_a_plan_without_rules_has_no_verdict():
    page = FORMAT.render(bundle_of())
    assert "This plan has no rules, so there is no verdict." in page


# --- In a browser. ---


@drawn
@pytest.mark.slow
def test_a_browser_draws_the_charts_without_a_complaint(page, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    path = tmp_path / "report.html"
    path.write_text(page)
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,6000"]
    words += ["--enable-logging=stderr", "--dump-dom", path.as_uri()]
    done = subprocess.run(  # noqa: S603 - what is on the path
        [browser, *words], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"Chromium does not start here: {done.stderr[-200:]}")
    assert "CONSOLE" not in done.stderr
    charts = len(re.findall(r"data-chart=", page.split('type="module"')[0]))
    live = re.findall(r'class="[^"]*\blive\b[^"]*"', done.stdout)
    assert len(live) == charts > 0
