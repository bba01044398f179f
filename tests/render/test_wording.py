"""Names, reasons and figures are written alike, and nothing in them is invisible."""

from __future__ import annotations

import pytest

from evenhand.render import card, junit, model_card, sarif
from evenhand.render.wording import brief, full_name_of, name_of
from made import bundle_of, contrast, group


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("", '"" (blank)'), (" ", '" " (blank)'), ("  ", '" " (blank, 2 spaces)'), ("a\nb", r"a\nb")],
)
def test_names_are_seen(raw, shown):
    assert name_of({"g": raw}) == shown
    assert full_name_of({"g": raw}) == f"g = {shown}"


def test_a_long_name_has_its_ends():
    assert len(name_of({"g": "x" * 500})) <= 80


def test_exports_show_blank_names(bundle):
    (rule,) = [one for one in bundle.rules if one.id == "sex-gap" and one.scope == "all rows"][:1]
    blank = rule.__class__(
        **{name: getattr(rule, name) for name in rule.__slots__}
        | {"failed_groups": (({"sex": ""}, {"sex": "men"}),)}
    )
    made = bundle_of(contrast(group("", 0.3), group("b", 0.5)), rules=[blank])
    assert "(blank)" in junit.render(made)
    assert "(blank)" in sarif.render(made)
    assert "(blank)" in model_card.render(made)


def test_a_card_says_that_one_group_alone_is_suppressed():
    found = contrast(group("a", 0.3), group("b", 0.5), group("few", None))
    assert any("One group alone" in text for text in card.limitations(bundle_of(found)))


def test_a_card_shows_whose_figure_it_is():
    page = model_card.render(bundle_of(contrast(group("men", 0.3), group("women", 0.5))))
    assert "| g = men; all rows |" in page


def test_long_reasons_without_those_of_groups_end_at_a_word():
    told = brief("one two three", 9)
    assert told == "one two ...; see the groups"
