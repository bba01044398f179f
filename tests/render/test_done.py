"""What was done to the model stands in every report, and what is not known of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

import probed
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.render import junit
from evenhand.render.done import NOBODY, TITLE, UNTOLD, UPPER_BOUND, done_of, spec_line, untold
from evenhand.render.html import html
from evenhand.render.markdown import markdown
from evenhand.render.text import plain

SLICES = ["variant == 'linf 0.05'", "variant == 'linf 0.1'"]


def audited(source):
    content = {
        "evenhand": 1,
        "log": {"source": str(source), "kind": "perturbed"},
        "groups": {"stroke": "stroke"},
        "measures": [{"measure": "worst(robust_accuracy, by=stroke)", "slices": SLICES}],
        "gate": [{"id": "r", "rule": "worst(robust_accuracy, by=stroke) >= 0.3", "reliable": True}],
    }
    return run(fit(plan_from(Located("", content, {}))), version="test")


@pytest.fixture
def doubted(tmp_path):
    flags = [probed.trust("linf 0.05"), probed.trust("linf 0.1", raised=True, groups=["thin"])]
    return audited(probed.log(tmp_path / "a.parquet", flags=flags))


def one_line(text):
    return " ".join(text.replace("\\", "").split())


@pytest.mark.parametrize("render", [html, markdown, plain])
def test_every_report_says_what_was_done_and_what_speaks_against_it(doubted, render):
    text = one_line(render(doubted))
    for said in (
        *(TITLE, UPPER_BOUND, "digit_models:cnn", "0123456789ab", "digits.parquet, 200 examples"),
        *("attack.pgd(steps=40)", "1,234", "a note", "1x8x8 numbers from 0 to 1; 10 classes"),
        *("not reliable, judged on 200 examples", "effort: with about twice the effort"),
        *("reliable, judged on 200 examples; so in each stroke", "stroke = thin (effort)"),
        "The attack is not to be relied on" if render is not plain else "the attack is not to be",
    ):
        assert said in text, said
    assert NOBODY not in text
    # A flag that is not raised speaks against nothing.
    assert "noise" not in text


def test_a_verdict_that_is_undecided_for_its_attack_says_so_in_junit(doubted):
    cases = ET.fromstring(junit.render(doubted)).iter("testcase")  # noqa: S314 - our own
    messages = [
        case.find("skipped").get("message") for case in cases if case.find("skipped") is not None
    ]
    (message,) = messages
    assert "the attack is not to be relied on: linf 0.1, effort" in message


@pytest.mark.parametrize("render", [html, markdown, plain])
def test_where_nobody_looked_for_flags_it_says_so(tmp_path, render):
    text = one_line(render(audited(probed.log(tmp_path / "a.parquet", flags=None))))
    assert NOBODY in text


@pytest.mark.parametrize("render", [html, markdown, plain])
def test_where_the_log_does_not_say_what_made_it_it_says_that(tmp_path, render):
    probed.rows(["linf 0.05", "linf 0.1"]).write_parquet(tmp_path / "a.parquet")
    assert UNTOLD in one_line(render(audited(tmp_path / "a.parquet")))
    probed.log(tmp_path / "b.parquet", ["linf 0.2"], [])
    found = audited(tmp_path / "*.parquet")
    assert "1 file does not say what made the rows." in one_line(render(found))


def test_other_audits_have_no_such_part(bundle):
    assert done_of(bundle) == []
    assert untold(bundle) == ""
    assert TITLE not in html(bundle) + markdown(bundle) + plain(bundle)


def test_of_a_corruption_nothing_is_said_of_attacks(tmp_path):
    probe = {"name": "noise", "variants": ["gaussian_noise 3"], "doubted": False}
    path = probed.log(tmp_path / "a.parquet", ["linf 0.05", "linf 0.1"], [], probe=probe)
    (one,) = done_of(audited(path))
    assert one.remarks == ()
    assert one.judged == ()
    assert ("probe", "noise") in one.facts


@pytest.mark.parametrize(("name", "attacks"), [("attack.pgd", True), ("explain.gap", False)])
def test_of_a_log_that_does_not_say_whether_it_attacks_its_name_does(tmp_path, name, attacks):
    probe = {"name": name, "variants": ["linf 0.05", "linf 0.1"]}
    path = probed.log(tmp_path / "a.parquet", ["linf 0.05", "linf 0.1"], None, probe=probe)
    (one,) = done_of(audited(path))
    assert bool(one.remarks) == attacks


def test_what_a_file_says_of_itself_is_only_text(tmp_path):
    model = {"name": "<script>alert(1)</script>" * 50, "fingerprint": "<b>", "spec": {"shape": 3}}
    flags = [probed.trust("linf 0.05", raised=True)]
    flags[0]["flags"][0]["text"] = "<img src=x>" + "y" * 10_000
    page = html(audited(probed.log(tmp_path / "a.parquet", flags=flags, model=model)))
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "y" * 1_000 not in page


@pytest.mark.parametrize(
    "spec", [{}, {"shape": "x", "low": None, "high": "1", "labels": 3, "output": ["a"]}]
)
def test_a_spec_that_says_little_is_said_briefly(spec):
    assert len(spec_line(spec)) < 20
