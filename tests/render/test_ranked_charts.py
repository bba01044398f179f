"""Charts of ranked lists: the data are the findings, and who is suppressed is nowhere in them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evenhand.audits.evidence.block import shape_of, together
from evenhand.audits.evidence.chart import chart, charts, charts_of
from evenhand.audits.evidence.depth import MOST_PANELS, depth_chart
from evenhand.audits.evidence.lorenz import lorenz_chart
from evenhand.render.svg import can_draw, svg
from evenhand.stats.estimate import Undefined
from made import SECRET, contrast, estimate, group

drawn = pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")


def shares(depth: int, *groups, target: str = "candidates"):
    """Return shares of exposure in so many slots."""
    return contrast(
        *groups,
        key=f"shares(exposure@{depth}, of=g, target={target})",
        measure=f"exposure@{depth}",
        contrast="shares",
    )


def at(depth: int, *, target: str = "candidates"):
    star = group("star", 0.1 + 0.1 / depth, target=0.085)
    return shares(depth, star, group("new", 0.22, target=0.23), group("few", None), target=target)


def single(measure: str, value: float, **more):
    return contrast(
        key=measure, measure=measure, outcome=estimate(value, 0.01), contrast=None, by=(), **more
    )


DEPTHS = (at(5), at(10), at(20))
TOPS = tuple(single(f"top_share(share={p})@10", v) for p, v in ((0.01, 0.05), (0.2, 0.5)))
GINI = single(
    "exposure_gini@10",
    0.49,
    conventions={"chance": "0.0949 where places fall on the catalogue at random"},
)


def values(spec) -> list[dict]:
    return spec["data"]["values"]


# --- Shares beside their targets. ---


def test_a_share_has_a_tick_at_its_target_and_other_contrasts_have_none():
    spec = chart([at(5)])
    assert {line["name"]: line.get("target") for line in values(spec)} == {
        "new": 0.23,
        "star": 0.085,
        "few": None,
    }
    ticks = [layer for layer in spec["layer"] if layer["mark"].get("type") == "tick"]
    assert [layer["encoding"]["x"]["field"] for layer in ticks] == ["target"]
    plain = chart([contrast(group("a", 0.3), group("b", 0.5))])
    assert not [layer for layer in plain["layer"] if layer["mark"].get("type") == "tick"]


def test_shares_at_several_depths_are_one_block_with_a_picture_over_depth_and_one_of_each():
    (block,) = together([DEPTHS[2], DEPTHS[0], DEPTHS[1]])
    assert shape_of(block) == "depths"
    assert [one.measure for one in block] == ["exposure@5", "exposure@10", "exposure@20"]
    names = [*charts(block)]
    assert len(names) == 4
    assert names[0].endswith("-by-depth")


def test_shares_beside_other_targets_are_other_blocks_with_names_of_their_own():
    others = [at(5, target="catalogue"), at(10, target="catalogue")]
    assert len(together([*DEPTHS, *others])) == 2
    assert len(charts_of([*DEPTHS, *others])) == 4 + 3


def test_shares_over_depth_are_the_findings():
    spec = depth_chart(DEPTHS)
    shown = {(line["name"], line["slots"]): line for line in values(spec)}
    assert len(shown) == 2 * 3
    for one, depth in zip(DEPTHS, (5, 10, 20), strict=True):
        for part in one.groups[:2]:
            line = shown[part.group["g"], depth]
            found = part.outcome
            assert (line["value"], line["low"], line["high"]) == (
                found.value,
                found.low,
                found.high,
            )
            assert line["target"] == part.target


def test_panels_span_as_many_points_and_hold_all_they_show():
    lines = values(depth_chart(DEPTHS))
    spans = {round(line["most"] - line["least"], 9) for line in lines}
    assert len(spans) == 1
    for line in lines:
        assert line["least"] <= min(line["low"], line["target"])
        assert max(line["high"], line["target"]) <= line["most"]


def test_a_suppressed_group_has_no_panel_and_no_figure():
    spec = depth_chart(DEPTHS)
    text = json.dumps(spec)
    assert "few" not in text
    assert str(SECRET) not in text


def test_a_group_that_has_one_figure_alone_has_no_panel():
    apart = Undefined("shares are those of groups that are known")
    unknown = replace(group("unknown", 0.1), outcome=apart, compared=False)
    first = shares(5, *at(5).groups, unknown, group("late", 0.2, target=0.2))
    names = {line["name"] for line in values(depth_chart([first, at(10)]))}
    assert names == {"star", "new"}


def test_of_many_groups_those_furthest_from_their_targets_have_panels():
    block = [
        shares(k, *(group(f"g{n}", 0.5, target=0.5 - n / 100) for n in range(20))) for k in (5, 10)
    ]
    names = {line["name"] for line in values(depth_chart(block))}
    assert names == {f"g{n}" for n in range(20 - MOST_PANELS, 20)}


# --- Lorenz's curve. ---


def test_the_shares_of_the_most_exposed_and_their_index_are_one_block():
    (block,) = together([*TOPS, GINI])
    assert shape_of(block) == "curve"
    (name,) = charts(block)
    assert name.endswith("-lorenz")


@pytest.mark.parametrize(
    "other", ["top_share(share=0.5)", "top_share(share=0.5, of=genre)@10", "item_gini@10"]
)
def test_figures_of_other_curves_are_other_blocks(other):
    assert len(together([*TOPS, GINI, single(other, 0.4)])) == 2


def test_an_index_alone_is_a_figure_without_a_chart():
    (block,) = together([GINI])
    assert shape_of(block) == "figure"
    assert charts(block) == {}


def test_points_of_the_curve_are_the_findings_from_the_least_exposed_item_on():
    spec = lorenz_chart([GINI, *TOPS])
    assert values(spec)[0] == {"items": 0.0, "value": 0.0}
    assert values(spec)[-1] == {"items": 1.0, "value": 1.0}
    inner = values(spec)[1:-1]
    assert [line["items"] for line in inner] == pytest.approx([0.8, 0.99])
    assert [line["value"] for line in inner] == pytest.approx([0.5, 0.95])
    assert [line["low"] for line in inner] == pytest.approx([0.49, 0.94])
    assert [line["high"] for line in inner] == pytest.approx([0.51, 0.96])


def test_the_index_and_its_value_by_chance_stand_in_the_picture():
    text = json.dumps(lorenz_chart([GINI, *TOPS]))
    assert "Gini 0.490 (0.480 to 0.500)" in text
    assert "by chance 0.095" in text


def test_where_no_share_is_known_there_is_no_curve():
    nothing = [replace(one, outcome=Undefined("nothing was shown")) for one in TOPS]
    assert lorenz_chart([GINI, *nothing]) is None


@drawn
@pytest.mark.parametrize("block", [DEPTHS, (GINI, *TOPS)], ids=["depths", "curve"])
def test_pictures_can_be_drawn_take_the_page_s_colour_and_read_on_a_telephone(block):
    for spec in charts(block).values():
        picture = svg(spec)
        assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert "currentColor" in picture
        assert "#0072B2" in picture
        width = float(picture.split(' width="')[1].split('"')[0])
        assert spec["config"]["axis"]["labelFontSize"] * (390 - 2 * 16) / width >= 10
