"""Sentences say what the interval shows: which way, how much, or that nothing is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evenhand.render.reading import definition, family, reading, who
from evenhand.stats.estimate import Estimate, Undefined
from made import contrast, estimate, group, pair

TWO = (group("women", 0.448), group("men", 0.235))
ROLES = {"label": "repaid", "prediction": "score >= 0.5"}


def interval(low: float, high: float, identified=None) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.95, "m", identified)


def test_a_gap_is_said_in_points():
    found = contrast(*TWO, outcome=interval(0.182, 0.245))
    told = "false positive rate: women 44.8%, men 23.5%; the gap is 18.2 to 24.5 points."
    assert reading(found) == told


def test_with_roles_a_gap_of_two_groups_says_which_way_and_of_what():
    told = reading(contrast(*TWO, outcome=interval(0.182, 0.245)), ROLES)
    assert told == (
        "The share where score is at least 0.5 among rows where repaid is 0 is 18.2 to 24.5 points "
        "higher for women (44.8%) than for men (23.5%)."
    )


def test_an_interval_that_contains_parity_shows_no_gap():
    told = reading(contrast(*TWO, outcome=interval(0.0, 0.245)), ROLES)
    assert told.endswith("no gap is shown, and it is at most 24.5 points.")


def test_a_ratio_is_said_as_a_share_of_the_higher():
    shown = contrast(*TWO, outcome=interval(0.4, 0.6), contrast="ratio")
    assert reading(shown).endswith("the lower is 40% to 60% of the higher.")
    none = contrast(*TWO, outcome=interval(0.4, 1.0), contrast="ratio")
    assert reading(none).endswith("no difference is shown, and the lower is at least 40%.")


def test_errors_are_said_in_their_own_unit():
    groups = (group("north", 12.5), group("south", 10.25))
    found = contrast(*groups, outcome=interval(1, 3), measure="mae", is_rate=False)
    assert reading(found) == "mae: north 12.50, south 10.25; the gap is 1.0000 to 3.0000."


def test_what_is_undefined_says_why():
    found = contrast(*TWO, outcome=Undefined("no group has a figure"))
    assert reading(found) == "Undefined: no group has a figure."


def test_of_bounds_the_set_is_said_and_no_middle():
    found = contrast(outcome=interval(0.1, 0.5, (0.2, 0.4)), contrast=None, by=())
    assert reading(found) == (
        "False positive rate lies in 20.0% to 40.0%, whatever was not observed."
    )
    gap = contrast(outcome=interval(0.0, 0.5, (0.0, 0.4)))
    assert reading(gap).endswith("the gap lies in 0.0 to 40.0 points, whatever was not observed.")


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.01, 0.03, "g a is 1.0 to 3.0 points above g b."),
        (-0.03, -0.01, "g a is 1.0 to 3.0 points below g b."),
        (-0.01, 0.03, "No gap between g a and g b is shown: -1.0 to 3.0 points."),
    ],
)
def test_a_pair_says_who_is_above(low, high, told):
    assert reading(pair("a", "b", interval(low, high))) == told


def test_a_group_against_all_is_said_so():
    found = pair("a", "overall", interval(0.01, 0.03), contrast="to_overall")
    assert reading(found) == "g a is 1.0 to 3.0 points above all groups together."


def test_of_many_pairs_the_furthest_is_said():
    block = [pair("a", str(n), interval(n / 10 - 0.15, n / 10)) for n in range(6)]
    assert family(block) == [
        "4 of 6 pairs are shown to differ.",
        "Furthest apart: g a is 35.0 to 50.0 points above g 5.",
    ]


def test_the_parts_of_a_gap_are_said_together():
    parts = {"gap": 0.21, "composition": 0.03, "rates": 0.18}
    block = [
        pair("a", "b", estimate(v), part=p, contrast="kitagawa", given=("age",))
        for p, v in parts.items()
    ]
    assert family(block) == [
        (
            "Of the gap of 21.0 points (g a minus g b), 3.0 come from who is where in age, and "
            "18.0 from different rates there (13.0 to 23.0)."
        )
    ]


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("selection_rate", "the share where score is at least 0.5"),
        ("base_rate", "the share where repaid is 1"),
        (
            "true_positive_rate",
            "the share where score is at least 0.5 among rows where repaid is 1",
        ),
        ("false_negative_rate", "the share where score is below 0.5 among rows where repaid is 1"),
        ("true_negative_rate", "the share where score is below 0.5 among rows where repaid is 0"),
        (
            "positive_predictive_value",
            "the share where repaid is 1 among rows where score is at least 0.5",
        ),
        (
            "false_discovery_rate",
            "the share where repaid is 0 among rows where score is at least 0.5",
        ),
        ("false_omission_rate", "the share where repaid is 1 among rows where score is below 0.5"),
        (
            "negative_predictive_value",
            "the share where repaid is 0 among rows where score is below 0.5",
        ),
        ("mean_score", ""),
        ("true_positive_rate(average=macro)", ""),
        ("no such measure (", ""),
    ],
)
def test_rates_are_defined_in_the_words_of_the_plan(measure, told):
    assert definition(measure, ROLES) == told


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"race": "White"}, "White"),
        ({"sex": "1"}, "sex 1"),
        ({"granted": "no"}, "granted no"),
        ({"g": "f"}, "g f"),
        ({"black": "no", "single": "yes"}, "black no, single yes"),
        ({"age": "<=25"}, "age 25 or less"),
        ({"age": "(25, 45]"}, "age over 25 to 45"),
        ({"age": ">45"}, "age over 45"),
        ({"band": "(low)"}, "(low)"),
        ({"sex": ""}, 'sex "" (blank)'),
    ],
)
def test_a_group_is_named_with_its_attribute_where_its_value_says_nothing(named, told):
    assert who(named) == told


def test_groups_of_several_attributes_are_parted_by_semicolons():
    both = (("no", 0.9), ("yes", 0.7))
    groups = (replace(group(a, v), group={"black": a, "single": a}) for a, v in both)
    told = reading(contrast(*groups, outcome=interval(0.1, 0.3), by=("black", "single")))
    assert "black no, single no 90.0%; black yes, single yes 70.0%" in told


def test_columns_with_odd_names_are_said_without_their_notation():
    roles = {"label": "y", "prediction": "col('Kredit bewilligt?') == 'Ja'"}
    told = "the share where Kredit bewilligt? is 'Ja' among rows where y is 1"
    assert definition("true_positive_rate", roles) == told


# --- Ranked lists. ---


def shares(low: float, high: float, target: str = "candidates"):
    groups = (group("star", 0.096, target=0.078), group("new", 0.22, target=0.23))
    return contrast(
        *groups,
        outcome=Estimate(0.018, low, high, 0.95, "m"),
        key=f"shares(exposure@10, of=g, target={target})",
        measure="exposure@10",
        contrast="shares",
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("candidates", "its share of the candidates"),
        ("catalogue", "its share of the catalogue"),
        ("equal", "an equal share"),
    ],
)
def test_a_share_is_said_beside_its_target(target, words):
    assert reading(shares(0.01, 0.03, target)) == (
        f"Of the exposure in slots 1 to 10, star gets 9.6%, 1.8 points more than {words}; the "
        "largest distance from a target is 1.0 to 3.0 points."
    )


def test_shares_whose_interval_holds_their_targets_are_not_called_unlike():
    assert reading(shares(0.0, 0.03)).endswith(
        "; no distance from the targets is shown, and it is at most 3.0 points."
    )


def plain(conventions: dict[str, str], measure: str = "AWRF(of=tier)@10"):
    return contrast(
        outcome=interval(0.91, 0.93),
        contrast=None,
        by=(),
        key=measure,
        measure=measure,
        is_rate=False,
        conventions=conventions,
    )


def test_a_figure_of_lists_is_said_with_chance_and_the_best_that_can_be_reached():
    told = reading(
        plain(
            {
                "chance": "0.9400 (standard error 0.0004): each request's items in random order",
                "best attainable": "0.9979: slot by slot",
            }
        )
    )
    assert told == (
        "AWRF(of=tier)@10 is 0.9200 (95% interval 0.9100 to 0.9300); lists in random order would "
        "have 0.9400, and the best that can be reached is 0.9979."
    )


def test_chance_of_items_is_said_as_chance_and_one_that_is_infinite_is_left_to_the_notes():
    assert "; chance alone would give 0.0949." in reading(plain({"chance": "0.0949 where places"}))
    assert "random" not in reading(plain({"chance": "infinite, for 3 requests: in random order"}))


def test_an_ideal_of_what_was_shown_is_said_plainly():
    told = reading(plain({"ideal": "shown"}, "nDCG@10"))
    assert told == (
        "nDCG@10 is 0.9200 (95% interval 0.9100 to 0.9300). The best list is made of what was "
        "shown: what was missed is not in the log."
    )
    known = "all items of the request whose relevance is known, shown or not"
    assert "missed" not in reading(plain({"ideal": known}))


def test_groups_of_items_are_called_so_and_groups_of_users_are_not():
    told = {"measure": "exposure@10", "contrast": "ratio", "is_rate": False}
    items = contrast(*TWO, outcome=interval(0.4, 0.6), key="ratio(exposure@10, of=g)", **told)
    users = contrast(*TWO, outcome=interval(0.4, 0.6), key="ratio(exposure@10, by=g)", **told)
    assert reading(items).startswith("exposure@10 of items: women")
    assert reading(users).startswith("exposure@10: women")
