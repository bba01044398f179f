"""Another policy's value and exposure by propensities: by hand, by loops, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError, ValueInLogError

IPS = "policy_value(policy=ips(new))"
SNIPS = "policy_value(policy=snips(new))"
SHARE = "exposure_share(of=tier, group=a, policy=ips(new))"
EVERY = [
    IPS,
    SNIPS,
    SHARE,
    "policy_gain(policy=ips(new))",
    "mean_weight(policy=ips(new))",
    "effective_sample_share(policy=ips(new))",
]


def log_of(rows, **more):
    given = pl.DataFrame(rows) if isinstance(rows, dict) else rows
    roles = {
        "request": "request",
        "rank": "slot",
        "relevance": "click",
        "propensity": "by",
        "item_groups": ["tier"],
    }
    asked = {name: told for name, told in {**roles, **more}.items() if told is not None}
    return eh.log(given, kind="recommendation", **asked)


def four(**columns):
    """Four requests of one item each."""
    rows = {
        "request": [1, 2, 3, 4],
        "slot": [1, 1, 1, 1],
        "by": [0.5, 0.25, 0.25, 0.5],
        "new": [0.1, 0.4, 0.5, 0.5],
        "click": [0, 1, 1, 0],
        "tier": ["a", "a", "b", "b"],
        "age": ["old", "old", "young", "young"],
    }
    return {**rows, **columns}


def random_feed(seed, requests=60, users=13):
    """Requests with gaps in slots, items that were not shown, and groups that are not known."""
    rng = np.random.default_rng(seed)
    rows = []
    for request in range(requests):
        slots = rng.choice(np.arange(1, 8), int(rng.integers(1, 5)), replace=False)
        for slot in [*slots.tolist(), None]:
            row = {"request": request, "user": request % users, "slot": slot}
            row["by"] = float(rng.uniform(0.05, 1)) if slot else float(rng.choice([0, 0.2]))
            row["new"] = float(rng.uniform(0, 1)) * int(rng.random() < 0.8)
            row["click"] = int(rng.random() < 0.4)
            row["tier"] = ("a", "b", None)[int(rng.integers(0, 3))]
            rows.append(row)
    return pl.DataFrame(rows, schema_overrides={"slot": pl.Int64, "tier": pl.String})


def value(notation, log):
    return eh.estimate(notation, log).value


def finding(notation, log):
    (found,) = eh.estimates([notation], log)
    return found


def test_four_items_by_hand():
    log = log_of(four())
    weights = [0.2, 1.6, 2.0, 1.0]
    assert value(IPS, log) == pytest.approx(3.6 / 4)
    assert value(SNIPS, log) == pytest.approx(3.6 / 4.8)
    assert value("policy_gain(policy=ips(new))", log) == pytest.approx(0.9 - 0.5)
    assert value("policy_gain(policy=snips(new))", log) == pytest.approx(0.75 - 0.5)
    assert value(SHARE, log) == pytest.approx(1.8 / 4.8)
    assert value("mean_weight(policy=ips(new))", log) == pytest.approx(1.2)
    effective = 4.8**2 / sum(weight**2 for weight in weights)
    found = eh.estimate("effective_sample_share(policy=ips(new))", log)
    assert found.value == pytest.approx(effective / 4)
    assert found.conventions["effective sample"] == f"{effective:.1f} of 4 shown items"
    assert found.conventions["mean weight"].startswith("1.2000: 1 less it, -0.2000")


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_equal_slow_loops(seed, k):
    rows = random_feed(seed)
    shown = [
        row for row in rows.to_dicts() if row["slot"] is not None and row["slot"] <= (k or math.inf)
    ]
    weight = [row["new"] / row["by"] for row in shown]
    clicks = sum(w * row["click"] for w, row in zip(weight, shown, strict=True))
    exposure = {"a": 0.0, "b": 0.0, None: 0.0}
    for w, row in zip(weight, shown, strict=True):
        exposure[row["tier"]] += w * 0.8 ** (row["slot"] - 1) * 0.2
    log, cut = log_of(rows, user="user"), "" if k is None else f"@{k}"
    n, total, square = len(shown), sum(weight), sum(w * w for w in weight)
    assert value(f"{IPS}{cut}", log) == pytest.approx(clicks / n, rel=1e-12)
    assert value(f"{SNIPS}{cut}", log) == pytest.approx(clicks / total, rel=1e-12)
    assert value(f"mean_weight(policy=ips(new)){cut}", log) == pytest.approx(total / n, rel=1e-12)
    share = f"effective_sample_share(policy=ips(new)){cut}"
    assert value(share, log) == pytest.approx(total**2 / square / n, rel=1e-12)
    for kind in ("ips", "snips"):
        asked = f"exposure_share(of=tier, group=a, browsing=rbp(p=0.8), policy={kind}(new)){cut}"
        wanted = exposure["a"] / (exposure["a"] + exposure["b"])
        assert value(asked, log) == pytest.approx(wanted, rel=1e-12)


def test_a_log_with_each_list_as_often_as_its_chance_gives_the_true_figures():
    # Two slots, filled independently from three items; chances under the log are quarters.
    logging = [[2, 1, 1], [1, 1, 2]]
    other = [[0.1, 0.3, 0.6], [0.5, 0.25, 0.25]]
    worth = [[0, 1, 3], [2, 0, 5]]
    tiers = "aba"
    rows, request = [], 0
    for items in itertools.product(range(3), repeat=2):
        for _ in range(math.prod(logging[place][item] for place, item in enumerate(items))):
            request += 1
            for place, item in enumerate(items):
                rows.append(
                    {
                        "request": request,
                        "slot": place + 1,
                        "by": logging[place][item] / 4,
                        "new": other[place][item],
                        "click": worth[place][item],
                        "tier": tiers[item],
                    }
                )
    log = log_of(pl.DataFrame(rows))
    assert request == 16
    pairs = [(place, item) for place in range(2) for item in range(3)]
    true = sum(other[place][item] * worth[place][item] for place, item in pairs) / 2
    assert value(IPS, log) == pytest.approx(true, rel=1e-12)
    assert value(SNIPS, log) == pytest.approx(true, rel=1e-12)
    assert value("mean_weight(policy=ips(new))", log) == pytest.approx(1, rel=1e-12)
    slots = [1.0, 1 / math.log2(3)]
    first = sum(slots[place] * other[place][item] for place, item in pairs if tiers[item] == "a")
    assert value(SHARE, log) == pytest.approx(first / sum(slots), rel=1e-12)


def drawn_in_turn(weights):
    """Yield lists of two of three items, drawn in turn, with their chances given those above."""
    for items in itertools.permutations(range(3), 2):
        left, chances = sum(weights), []
        for item in items:
            chances.append(weights[item] / left)
            left -= weights[item]
        yield items, chances


def test_chances_given_those_above_are_multiplied():
    # Clicks on an item depend on what stands above: only products of weights are unbiased.
    logging, other, tiers = [1, 1, 2], [0.5, 0.3, 0.2], "aba"
    worth = {(item, above): 1 + item + 2 * (above or 0) for item in range(3) for above in range(3)}
    rows, request, value_of, first = [], 0, 0.0, 0.0
    for (items, by), (_, new) in zip(drawn_in_turn(logging), drawn_in_turn(other), strict=True):
        clicks = [items[0], worth[items[1], items[0]]]
        value_of += math.prod(new) * sum(clicks) / 2
        slots = [1.0, 1 / math.log2(3)]
        own = [w for w, item in zip(slots, items, strict=True) if tiers[item] == "a"]
        first += math.prod(new) * sum(own) / sum(slots)
        # Chances of whole lists are twelfths.
        for _ in range(round(12 * math.prod(by))):
            request += 1
            for place, item in enumerate(items):
                rows.append({"request": request, "slot": place + 1, "item": item})
                rows[-1] |= {"by": by[place], "new": new[place], "click": clicks[place]}
                rows[-1] |= {"tier": tiers[item]}
    log = log_of(pl.DataFrame(rows), item="item")
    assert request == 12
    above = "ips(new, given=above)"
    assert value(f"policy_value(policy={above})", log) == pytest.approx(value_of, rel=1e-12)
    assert value(f"mean_weight(policy={above})", log) == pytest.approx(1, rel=1e-12)
    share = value(f"exposure_share(of=tier, group=a, policy={above})", log)
    assert share == pytest.approx(first, rel=1e-12)
    assert abs(value(IPS, log) / value_of - 1) > 0.01


@pytest.mark.parametrize("kind", ["ips", "snips"])
@pytest.mark.parametrize("unit", [None, "request"])
def test_the_policy_of_the_log_itself_has_the_plain_mean_bit_for_bit(kind, unit):
    log = log_of(random_feed(4), user="user", unit=unit)
    for asked, plain in (
        (f"policy_value(policy={kind}(by))", "policy_value(policy=logged)"),
        (f"policy_value(policy={kind}(by, given=above))", "policy_value(policy=logged)"),
        (f"policy_value(policy={kind}(by))@3", "policy_value(policy=logged)@3"),
        (
            f"exposure_share(of=tier, group=b, policy={kind}(by))",
            "exposure_share(of=tier, group=b)",
        ),
    ):
        found, wanted = eh.estimate(asked, log), eh.estimate(plain, log)
        assert found.value == wanted.value
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)
    assert value("effective_sample_share(policy=ips(by))", log) == 1
    shown = random_feed(4).drop_nulls("slot")
    assert value("policy_value(policy=logged)", log) == shown["click"].sum() / len(shown)


def test_intervals_take_the_rows_of_a_user_together():
    once = random_feed(5, requests=40, users=40)
    again = [once.with_columns(pl.col("request") + 1000 * copy) for copy in range(4)]
    copies = pl.concat(again)
    for notation in EVERY:
        alone = eh.estimate(notation, log_of(once, user="user"))
        found = eh.estimate(notation, log_of(copies, user="user"))
        naive = eh.estimate(notation, log_of(copies))
        assert found.value == pytest.approx(alone.value)
        assert found.units == alone.units
        assert naive.high - naive.low < 0.7 * (found.high - found.low)
        assert found.high - found.low > 0.9 * (alone.high - alone.low)


@pytest.mark.parametrize("notation", EVERY)
def test_duckdb_gives_what_polars_gives(notation):
    pytest.importorskip("duckdb")
    rows = random_feed(6)
    one = eh.estimate(notation, log_of(rows, user="user"))
    other = eh.estimate(notation, log_of(rows, user="user", engine="duckdb"))
    assert (one.value, one.low, one.high) == pytest.approx(
        (other.value, other.low, other.high), rel=1e-12
    )
    assert one.conventions == other.conventions


def test_a_role_may_be_an_expression():
    rows = random_feed(7).with_columns(percent=100 * pl.col("by"))
    log = log_of(rows, propensity="percent / 100")
    assert value(IPS, log) == pytest.approx(value(IPS, log_of(rows)), rel=1e-12)


@pytest.mark.parametrize("notation", EVERY)
def test_without_overlap_there_is_no_figure_and_the_unsupported_mass_is_told(notation):
    found = finding(notation, log_of(four(new=[0.0] * 4)))
    assert "no overlap" in found.undefined
    assert "unsupported mass is 1" in found.undefined


def test_a_group_without_overlap_has_no_figure_beside_one_that_has():
    log = log_of(four(new=[0.1, 0.2, 0.0, 0.0]), groups=["age"])
    (found,) = eh.estimates([f"difference({IPS}, by=age)"], log)
    reasons = {one.group["age"]: one.outcome for one in found.groups}
    assert "no overlap" in reasons["young"].reason
    assert reasons["old"].value == pytest.approx(0.4)


@pytest.mark.parametrize("column", ["by", "new"])
@pytest.mark.parametrize("notation", EVERY)
def test_a_shown_item_of_unknown_chance_leaves_no_figure(notation, column):
    known = four()[column]
    found = finding(notation, log_of(four(**{column: [*known[:2], None, known[3]]})))
    assert "propensity or 'new' of a shown item is missing for 1 of 4" in found.undefined


def test_an_item_that_was_not_shown_needs_no_chance():
    rows = random_feed(8)
    bare = rows.with_columns(
        pl.when(pl.col("slot").is_not_null()).then(name).alias(name) for name in ("by", "new")
    )
    for notation in EVERY:
        assert value(notation, log_of(bare)) == value(notation, log_of(rows))


def test_a_weight_that_outweighs_the_others_is_flagged():
    # Of 200 items one has a weight of 100, the others of 1.
    rows = {
        "request": [*range(200)],
        "slot": [1] * 200,
        "by": [0.01] + [0.5] * 199,
        "new": [1.0] + [0.5] * 199,
        "click": [1, 0] * 100,
        "tier": ["a", "b", "b", "a"] * 50,
    }
    told = eh.estimate(IPS, log_of(rows)).conventions["dominated"]
    # It has 100 of 299, a third, which the fourth powers tell to within a hundredth.
    assert told == "one item has at least 33% of all weight"
    assert "dominated" not in eh.estimate(IPS, log_of({**rows, "by": [0.9] * 200})).conventions


def test_few_items_in_effect_are_flagged():
    rows = random_feed(9).drop_nulls("slot").with_columns(by=0.5, new=0.25)
    told = eh.estimate(IPS, log_of(rows[:99])).conventions
    assert told["dominated"] == "few items carry the figure, below 100 in effect"
    assert "dominated" not in eh.estimate(IPS, log_of(rows[:100])).conventions


def rarely_shown(often):
    """A thousand items, of which some are rare in the log and not under the other policy."""
    rare = np.arange(1_000) < often
    return {
        "request": np.arange(1_000),
        "slot": np.ones(1_000, int),
        "by": np.where(rare, often / 1_000, 1 - often / 1_000),
        "new": np.where(rare, 0.3, 0.7),
        "click": np.arange(1_000) % 2,
        "tier": np.where(rare, "a", "b"),
    }


@pytest.mark.parametrize("notation", EVERY)
def test_too_few_items_in_effect_leave_no_figure_but_their_number(notation):
    found = finding(notation, log_of(rarely_shown(5)))
    assert found.conventions["effective sample"].startswith("54.")
    if "weight" in notation or "sample" in notation:
        assert found.undefined is None
    else:
        assert "the log tells too little of the other policy" in found.undefined
    assert finding(notation, log_of(rarely_shown(20))).undefined is None


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"by": [0.0, 0.2, 1.5, 0.1]}, "role 'propensity': 2 rows hold 0, 1.5."),
        ({"by": [0.5, 0.2, 1e-40, 0.1]}, "role 'propensity': 1 row holds 1e-40."),
        ({"by": [0.5, -0.1, 0.5, 0.1]}, "role 'propensity': 1 row holds -0.1."),
        ({"new": [0.5, 1.5, -0.5, 0.1]}, "column 'new': 2 rows hold -0.5, 1.5."),
    ],
)
@pytest.mark.parametrize("notation", EVERY)
def test_impossible_chances_are_refused_with_their_number(notation, columns, what):
    with pytest.raises(ValueInLogError) as error:
        eh.estimate(notation, log_of(four(**columns)))
    assert str(error.value).startswith(what)


@pytest.mark.parametrize(
    ("notation", "says"),
    [
        ("policy_value", "needs its parameter 'policy'"),
        ("policy_value(policy=dr(new))", "'dr(new)' is no policy"),
        ("policy_value(policy=ips)", "ips takes one column"),
        ("policy_value(policy=ips(new, by))", "ips takes one column"),
        ("policy_value(policy=ips(k=2))", "ips takes one column"),
        ("policy_value(policy=ips(new, given=below))", "given= is context or above"),
        ("policy_value(policy=logged(new))", "logged takes no parameters"),
        ("policy_value(policy=ips(nwe))", "Did you mean 'new'?"),
        ("mean_weight(policy=logged)", "a figure of another policy"),
        ("policy_gain(policy=logged)", "a figure of another policy"),
        ("ratio(policy_value(policy=ips(new)), of=tier)", "belong to no group of items"),
    ],
)
def test_what_cannot_be_asked_says_why(notation, says):
    with pytest.raises(NotationError) as error:
        eh.estimates([notation], log_of(four()))
    assert says in str(error.value)


def test_a_log_without_propensities_says_which_role_is_missing():
    with pytest.raises(NotationError) as error:
        eh.estimate(IPS, log_of(four(), propensity=None))
    assert "role 'propensity'" in str(error.value)


def candidates(**columns):
    rows = {
        "request": [1, 1, 1, 2, 2, 2],
        "slot": [1, None, None, 1, None, None],
        "by": [0.5, 0.5, 0.0, 0.7, 0.3, None],
        "new": [0.5, 0.2, 0.3, 0.4, 0.5, 0.1],
        "click": [0, 0, 0, 1, 0, 0],
        "tier": ["a", "a", "b", "b", "a", "b"],
    }
    return {**rows, **columns}


MASS = "unsupported_mass(policy=ips(new))"


def test_the_unsupported_mass_is_that_of_candidates_without_a_chance_in_the_log():
    assert value(MASS, log_of(candidates())) == pytest.approx((0.3 + 0.1) / 2)
    assert value(MASS, log_of(candidates(by=[0.5, 0.4, 0.1, 0.7, 0.2, 0.1]))) == 0


def test_without_candidates_the_unsupported_mass_is_undefined():
    found = finding(MASS, log_of(four()))
    assert "does not tell what it could not show" in found.undefined


def test_unsupported_candidates_of_unknown_chance_leave_no_mass():
    found = finding(MASS, log_of(candidates(new=[0.5, 0.2, None, 0.4, 0.5, 0.1])))
    assert "missing" in found.undefined


def test_chances_of_more_than_the_slots_of_a_request_are_refused():
    with pytest.raises(ValueInLogError) as error:
        eh.estimate(
            MASS,
            log_of(
                candidates(by=[0.5, 0.0, 0.0, 0.7, 0.0, 0.0], new=[0.0, 0.9, 0.9, 0.0, 0.5, 0.1])
            ),
        )
    assert "exceed a request's slots by up to 0.8" in str(error.value)


def test_the_mean_weight_falls_short_of_one_by_the_unsupported_mass():
    # Half of the requests offer an item that the log never shows, with a chance of .4.
    rows = {"request": [], "slot": [], "by": [], "new": [], "click": [], "tier": []}
    for request in range(40):
        lacks = request % 2
        rows["request"] += [request] * (1 + lacks)
        rows["slot"] += [1, None][: 1 + lacks]
        rows["by"] += [0.5, 0.0][: 1 + lacks]
        rows["new"] += [0.3 if lacks else 0.5, 0.4][: 1 + lacks]
        rows["click"] += [0, 0][: 1 + lacks]
        rows["tier"] += ["a", "b"][: 1 + lacks]
    log = log_of(rows)
    missing = 1 - value("mean_weight(policy=ips(new))", log)
    assert missing == pytest.approx(0.2)
    assert value(MASS, log) == pytest.approx(0.2)
