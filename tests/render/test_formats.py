"""Markdown, LaTeX, text and notebooks: the same findings, with every sign harmless."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from evenhand.render import gfm, latex, markdown, text
from evenhand.render.format import formats
from evenhand.render.svg import can_draw
from evenhand.stats.estimate import Undefined
from made import SECRET, bundle_of, contrast, group, pair

HOSTILE = "<b>|`x`|*y* $z_1^2 & 50% #{~\\"
ALL = ["html", "markdown", "latex", "text"]


@pytest.fixture(scope="module")
def hostile():
    one = contrast(group(HOSTILE, 0.3), group("b", 0.5), group("small", None))
    return bundle_of(one, pair(HOSTILE, "b"))


@pytest.mark.parametrize("name", ALL)
def test_each_is_found_among_the_formats(name):
    assert formats()[name].name == name


@pytest.mark.parametrize("name", ALL)
def test_no_format_shows_what_is_suppressed(name, hostile):
    page = formats()[name].render(hostile)
    assert "suppressed" in page
    assert str(SECRET) not in page
    assert f"{SECRET:,}" not in page


@pytest.mark.parametrize("name", ALL)
def test_a_waiver_stands_beside_its_verdict_in_every_format(name, bundle):
    assert "someone@example.org" in formats()[name].render(bundle).replace("&#64;", "@")


@pytest.mark.parametrize("name", ALL)
def test_one_bundle_gives_one_text(name, bundle):
    assert formats()[name].render(bundle) == formats()[name].render(bundle)


@pytest.mark.parametrize("name", [*ALL, "step-summary", "model-card"])
def test_one_group_suppressed_alone_is_said_loudly(name):
    loud = "One group alone is suppressed"
    alone = bundle_of(contrast(group("a", 0.3), group("b", 0.5), group("small", None)))
    assert loud in formats()[name].render(alone)
    two = contrast(group("a", 0.3), group("x", None), group("y", None))
    assert loud not in formats()[name].render(bundle_of(two))


@pytest.mark.parametrize("name", [*ALL, "step-summary"])
def test_a_report_says_once_why_limits_differ_from_intervals(name, bundle):
    page = " ".join(formats()[name].render(bundle).split()).replace("{-}", "-")
    assert page.count("Verdicts use one-sided limits of the groups compared") == 1


@pytest.mark.parametrize("name", ALL)
def test_a_blank_name_can_be_seen(name):
    found = contrast(group("", 0.3), group("  ", 0.5), group("b", 0.4))
    page = html_text(formats()[name].render(bundle_of(found)))
    assert '"" (blank)' in page
    assert "(blank, 2 spaces)" in page


def html_text(page: str) -> str:
    """Return text with quotes as they are read."""
    page = re.sub("&#34;|&quot;", '"', page)
    return page.replace(r"\textquotedbl{}", '"')


@pytest.mark.parametrize("name", ALL)
def test_the_reason_of_each_group_stands_once(name):
    why = Undefined("label is missing for 3 of 9 rows; what was not observed is not guessed")
    groups = [replace(group(n), outcome=why) for n in ("men", "women")]
    each = "; ".join(f"{n}: {why.reason}" for n in ("men", "women"))
    none = Undefined(f"no group has a figure to compare ({each})")
    page = " ".join(formats()[name].render(bundle_of(contrast(*groups, outcome=none))).split())
    page = page.replace("{-}", "-")
    assert page.count("label is missing for 3 of 9 rows") == 2
    assert page.count("no group has a figure to compare; see the groups") == 1
    assert page.count("what was not observed is not guessed: bounds(...)") == 1


# --- Markdown. ---


def test_markdown_shows_html_as_text(hostile):
    page = markdown.FORMAT.render(hostile)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_rows_of_a_markdown_table_have_as_many_cells_as_its_head(hostile):
    tables = re.findall(r"(?:^\|.*\n)+", markdown.FORMAT.render(hostile), re.MULTILINE)
    assert tables
    for table in tables:
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(bars) == 1


def test_code_in_markdown_is_fenced_beyond_its_own_backticks():
    assert gfm.code("a ``b`` c") == "``` a ``b`` c ```"


# --- LaTeX. ---


def test_latex_escapes_every_special_sign():
    assert latex.escape("a_b & 5% $#{}~^\\") == (
        r"a\_\allowbreak{}b \& 5\% \$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_latex_names_signs_that_an_engine_may_not_set():
    assert latex.escape("é中") == r"é\evenhandsign{4E2D}"


def test_a_notation_in_latex_breaks_after_brackets_signs_and_words():
    shown = latex.code("worst(a_b, by=c)")
    assert shown.count(r"\allowbreak{}") == 3


def test_latex_is_balanced(hostile):
    page = latex.FORMAT.render(hostile)
    body = page.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    assert body.count("{") == body.count("}")
    for kind in ("document", "longtable"):
        assert page.count(f"\\begin{{{kind}}}") == page.count(f"\\end{{{kind}}}") > 0


@pytest.mark.slow
def test_latex_compiles(hostile, tmp_path):
    engine = shutil.which("pdflatex")
    if engine is None:
        pytest.skip("no pdflatex is installed")
    (tmp_path / "report.tex").write_text(latex.FORMAT.render(hostile))
    words = [engine, "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
def test_the_tables_of_a_gate_fit_their_page(bundle, tmp_path):
    engine = shutil.which("pdflatex")
    if engine is None:
        pytest.skip("no pdflatex is installed")
    (tmp_path / "report.tex").write_text(latex.FORMAT.render(bundle))
    words = [engine, "-interaction=nonstopmode", "report.tex"]
    for _ in range(2):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    assert b"Overfull" not in done.stdout


# --- Text. ---


def test_text_begins_with_the_verdict_and_has_every_finding(bundle):
    page = text.FORMAT.render(bundle)
    assert page.index("FAIL") < page.index("difference(selection_rate, by=sex)  ")
    assert all(finding.key in page for finding in bundle.findings)


def test_a_name_cannot_command_a_terminal():
    page = text.FORMAT.render(bundle_of(contrast(group("\x1b[31mred", 0.3), group("b", 0.5))))
    assert "\x1b" not in page
    assert "red" in page


def test_long_names_and_ends_of_lines_are_seen_on_terminals():
    found = contrast(group("a\nb", 0.3), group("x" * 50 + "y" * 50, 0.5))
    page = text.FORMAT.render(bundle_of(found))
    assert r"a\nb" in page
    assert "\N{HORIZONTAL ELLIPSIS}" in page
    assert "x" * 50 not in page


def test_text_has_no_colours_of_a_terminal(bundle):
    assert "\x1b" not in text.FORMAT.render(bundle)


# --- Notebooks. ---


def test_a_notebook_shows_a_finding_without_a_script(hostile):
    shown = hostile.findings[0]._repr_html_()
    assert "<script" not in shown
    assert "<b>|" not in shown
    assert ("<svg xmlns" in shown) == can_draw()


def test_a_notebook_shows_a_bundle_with_its_verdict(bundle):
    shown = bundle._repr_html_()
    assert "<script" not in shown
    assert 'class="mark fail"' in shown
    assert all(rule.id in shown for rule in bundle.rules)
