"""Curves out of findings: the numbers of the probe, groups beside all, lines that are broken."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.chart import charts_of
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.evidence.course import COLOURS, MOST_LINES, course_chart, drawn_of
from evenhand.audits.evidence.curve import curves_of
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.default_probed import probed_measures
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run as audited
from evenhand.logs.log import open_log
from evenhand.models.function import FunctionModel
from evenhand.models.inputs import inputs_of
from evenhand.models.spec import Spec
from evenhand.probes.explain import pdp
from evenhand.probes.explain.ale import curve_of
from evenhand.probes.run import run
from evenhand.probes.written import probe_of
from evenhand.render.course import courses_in, table_of_course
from evenhand.render.html import html
from evenhand.render.latex import latex
from evenhand.render.markdown import markdown
from evenhand.render.notebook import notebook
from evenhand.render.section import shown_sections
from evenhand.render.text import plain
from evenhand.render.wording import DASH
from evenhand.stats.estimate import Estimate

SPEC = Spec(labels=("no", "yes"), shape=(2,), low=-50.0, high=50.0)


def met(x):
    """A score in which each feature moves the other's effect."""
    return np.sin(x[:, 0]) * (1 + x[:, 1])


def made(score=met, written="ale(bins=5)", size=600, share=0.4):
    """The rows of a probe of examples that are women or men, and their plan."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(size, 2))
    inputs = inputs_of(x, SPEC, labels=np.where(x[:, 0] > 0, "yes", "no"))
    model = FunctionModel(lambda x: np.column_stack([np.zeros(len(x)), score(x)]), SPEC)
    probe = probe_of(f"explain.{written}")
    rows = run(probe, model, inputs, version="0", believe=True).rows
    sex = pl.Series("sex", np.where(rng.random(size) < share, "f", "m"))
    sexes = pl.DataFrame({"source": inputs.ids.tolist()}).with_columns(sex)
    return rows.join(sexes, on="source", maintain_order="left"), probe.method.among(inputs, 1)


def bundle_of(tmp_path, rows, method, **more):
    log = open_log(rows, kind="attributions", roles={}, groups=["sex"], classes=())
    entries = probed_measures([method], SPEC, log)
    rows.write_parquet(tmp_path / "rows.parquet")
    content = {
        "evenhand": 1,
        "log": {"source": str(tmp_path / "rows.parquet"), "kind": "attributions"},
        "groups": {"sex": "sex"},
        "measures": [one.model_dump() for one in entries],
        **more,
    }
    return audited(fit(plan_from(Located("", content, {}))), version="test")


def curve(bundle, feature):
    (one,) = [one for many in courses_in(bundle).values() for one in many if one.axis == feature]
    return one


def line(course, name):
    """Ends, values and limits of a line, and examples of the bins that end there."""
    found = [
        (point.strength, part.outcome.value, part.outcome.low, part.outcome.high, part.rows)
        for point in course.points
        for part in point.lines
        if part.name == name and isinstance(part.outcome, Estimate)
    ]
    return np.array(found).T


@pytest.mark.parametrize("feature", ["x0", "x1"])
def test_all_together_is_the_curve_that_the_probe_tells(feature, tmp_path):
    rows, method = made()
    at, value, low, high, count = line(curve(bundle_of(tmp_path, rows, method), feature), "all")
    told = curve_of(rows, feature)
    np.testing.assert_array_equal(at, told.at)
    np.testing.assert_allclose(value, told.value, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(low, told.low, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(high, told.high, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(count[1:], told.count)


def test_a_group_rises_by_its_own_means_and_is_centred_by_all(tmp_path):
    rows, method = made()
    course = curve(bundle_of(tmp_path, rows, method), "x0")
    own = rows.filter((pl.col("variant") == "x0") & (pl.col("sex") == "f"))
    steps = own.group_by("ale_bin").agg(pl.col("local_effect").mean()).sort("ale_bin")
    _, value, _, _, count = line(course, "f")
    np.testing.assert_allclose(np.diff(value), steps["local_effect"], rtol=1e-9)
    assert count[1:].sum() == len(own)
    *_, every = line(course, "all")
    assert (value[1:] + value[:-1]) @ every[1:] == pytest.approx(0, abs=1e-9)
    assert course.names == ["f", "m", "all"]
    assert course.alone == "all"


def test_groups_are_one_line_where_a_feature_moves_the_score_alike(tmp_path):
    rows, method = made(lambda x: np.sin(x[:, 0]) + x[:, 1])
    course = curve(bundle_of(tmp_path, rows, method), "x0")
    np.testing.assert_allclose(line(course, "f")[1], line(course, "all")[1], atol=1e-9)
    assert "differ over 0 of 5 bins" in course.notes[0]


def test_bins_in_which_a_group_is_moved_otherwise_are_named(tmp_path):
    rows, method = made()
    # Women's scores rise by one more in the second bin.
    more = (pl.col("sex") == "f") & (pl.col("variant") == "x0") & (pl.col("ale_bin") == 2)
    rows = rows.with_columns(local_effect=pl.col("local_effect") + more.cast(pl.Float64))
    course = curve(bundle_of(tmp_path, rows, method), "x0")
    ends = [point.written for point in course.points]
    assert f"{ends[1]} to {ends[2]}" in course.notes[0]


def test_too_few_of_a_group_break_its_line_and_are_told_by_no_number(tmp_path):
    rows, method = made(size=900)
    third = (pl.col("variant") == "x0") & (pl.col("ale_bin") == 3)
    few = third & (pl.col("sex") == "f") & (pl.int_range(pl.len()).over("sex", "ale_bin") >= 7)
    bundle = bundle_of(tmp_path, rows.filter(~few), method)
    course = curve(bundle, "x0")
    ends = [point.strength for point in course.points]
    pieces = {
        point.strength: part.piece
        for point in course.points
        for part in point.lines
        if part.name == "f" and isinstance(part.outcome, Estimate)
    }
    assert pieces == dict(zip(ends, (0, 0, 0, 1, 1, 1), strict=True))
    assert course.notes[-1] == (
        f"f has no line from {course.points[2].written} to {course.points[3].written}."
    )
    # Each piece stands where all together does in the mean over its bins.
    _, value, *_ = line(course, "f")
    _, every, _, _, count = line(course, "all")
    for some, bins in ((slice(0, 3), slice(1, 3)), (slice(3, 6), slice(4, 6))):
        off = (value - every)[some]
        assert (off[1:] + off[:-1]) @ count[bins] == pytest.approx(0, abs=1e-9)
    spec = course_chart(course)
    lines = next(one for one in spec["layer"] if one["mark"]["type"] == "line")
    assert lines["encoding"]["detail"]["field"] == "piece"
    drawn = [one for one in spec["data"]["values"] if one["name"] == "f"]
    assert [one["piece"] for one in drawn] == [0, 0, 0, 1, 1, 1]
    rows_told = [row[-2:] for row in table_of_course(course).rows if row[0] == "f"]
    assert rows_told[3] == (DASH, DASH)
    assert not any("7" in cell for cell in rows_told[3])


def test_behind_a_bin_that_nobody_knows_all_together_is_told_where_most_are(tmp_path):
    rows, method = made()
    fourth = (pl.col("variant") == "x0") & (pl.col("ale_bin") == 4)
    bundle = bundle_of(tmp_path, rows.filter(~fourth), method)
    course = curve(bundle, "x0")
    at, value, *_ = line(course, "all")
    np.testing.assert_array_equal(at, [point.strength for point in course.points][:4])
    np.testing.assert_array_equal(line(course, "f")[0], at)
    assert np.isfinite(value).all()


def test_a_group_that_is_called_all_is_told_apart_from_all_together(tmp_path):
    rows, method = made()
    rows = rows.with_columns(pl.col("sex").replace({"f": "all"}))
    course = curve(bundle_of(tmp_path, rows, method), "x0")
    assert course.names == ["all", "m", "all together"]


def test_without_groups_the_one_line_is_of_all_together(tmp_path):
    rows, method = made()
    found = [one for one in bundle_of(tmp_path, rows, method).findings if not one.by]
    (first, second) = [one.course for one in curves_of(found, "variant")]
    assert first.names == second.names == ["all"]
    assert not first.alone


def test_where_the_unit_is_another_than_the_example_limits_are_wider(tmp_path):
    rows, method = made()
    rows = rows.with_columns(person=pl.col("source") // 2)
    own = bundle_of(tmp_path, rows, method)
    _, _, low, high, _ = line(curve(own, "x0"), "all")
    other = bundle_of(tmp_path, rows, method, unit="person")
    _, _, least, most, _ = line(curve(other, "x0"), "all")
    assert (most - least > 1.3 * (high - low)).all()


def test_a_report_has_the_curves_and_no_block_of_each_bin(tmp_path):
    rows, method = made()
    bundle = bundle_of(tmp_path, rows, method)
    page = html(bundle)
    assert page.count('class="block course"') == 2
    assert 'class="block" id="f' not in page
    assert "20 figures of single bins are told by these curves" in page
    text = markdown(bundle)
    assert text.count("#### Along x0, by sex") == 1
    assert "accumulated local effects" in text
    assert [name for name in charts_of(bundle.findings, "variant") if "along" not in name] == []
    assert len(bundle.charts) == 2


def test_a_bin_that_a_rule_is_about_stands_by_itself_too(tmp_path):
    rows, method = made()
    gate = [{"id": "alike", "rule": "difference(mean_local_effect, by=sex) <= 5"}]
    bundle = bundle_of(tmp_path, rows, method, gate=gate)
    (section,) = shown_sections(bundle)
    assert len(section.blocks) == 10
    assert section.told == 10
    assert "rule alike" in html(bundle)


def test_points_of_partial_dependence_are_means_at_the_values_that_were_set(tmp_path):
    rows, method = made(written="pdp(points=4)")
    bundle = bundle_of(tmp_path, rows, method)
    course = curve(bundle, "x0")
    assert (course.shape, course.behind) == ("pd", "mean_partial_effect")
    assert course.names == ["f", "m", "all"]
    at, value, low, high, count = line(course, "all")
    told = pdp.curve_of(rows, "x0")
    np.testing.assert_array_equal(at, told.at)
    for found, wanted in ((value, told.value), (low, told.low), (high, told.high)):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    assert {*count} == {600}
    own = rows.filter((pl.col("variant") == "x0") & (pl.col("sex") == "f"))
    means = own.group_by("moved_to").agg(pl.col("partial_effect").mean()).sort("moved_to")
    np.testing.assert_allclose(line(course, "f")[1], means["partial_effect"], rtol=1e-9)
    assert "16 figures of single points are told by these curves" in html(bundle)


def test_both_kinds_of_curves_are_told_from_one_log(tmp_path):
    (of_ale, ale), (of_pdp, other) = made(), made(written="pdp")
    rows = pl.concat([of_ale, of_pdp], how="diagonal")
    log = open_log(rows, kind="attributions", roles={}, groups=["sex"], classes=())
    entries = probed_measures([ale, other], SPEC, log)
    bundle = bundle_of(tmp_path, rows, ale, measures=[one.model_dump() for one in entries])
    found = [one for many in courses_in(bundle).values() for one in many]
    assert sorted((one.shape, one.axis) for one in found) == [
        *(("ale", "x0"), ("ale", "x1"), ("pd", "x0"), ("pd", "x1"))
    ]
    alone = bundle_of(tmp_path, of_ale, ale)
    (both,) = [one for one in found if (one.shape, one.axis) == ("ale", "x0")]
    np.testing.assert_allclose(line(curve(alone, "x0"), "f"), line(both, "f"), rtol=1e-9)
    for text in (markdown(bundle), latex(bundle), plain(bundle), notebook(bundle)):
        assert "accumulated local effects" in text
        assert "moved" not in text.lower()


@pytest.mark.parametrize("other", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("written", ["ale(bins=3)", "pdp(points=3)"])
def test_places_are_found_by_their_numbers_on_every_engine(other, written, tmp_path, request):
    if other == "spark":
        request.getfixturevalue("spark")
    rows, method = made(written=written, size=300)
    # Numbers of 17 digits, below 0 and very small, as slices write them.
    names = [name for name in ("ale_low", "ale_high", "moved_to") if name in rows.columns]
    rows = rows.with_columns(pl.col(name) * (0.1 / 3e7) for name in names)
    entries = probed_measures(
        [method], SPEC, open_log(rows, kind="attributions", groups=["sex"], roles={}, classes=())
    )
    scopes = rows.select("variant", *names).unique().sort("variant", *names).iter_rows(named=True)
    texts = [
        " and ".join(
            [f"variant == {one['variant']!r}", *(f"{name} == {one[name]!r}" for name in names)]
        )
        for one in scopes
    ]
    measures = [{"measure": one.measure, "slices": texts} for one in entries]
    rows.write_parquet(tmp_path / "rows.parquet")
    plan = {
        "evenhand": 1,
        "log": {"source": str(tmp_path / "rows.parquet"), "kind": "attributions"},
        "groups": {"sex": "sex"},
        "measures": measures,
    }
    one, two = eh.audit(plan), eh.audit(plan, engine=other)
    assert diff(one, two).same
    counted = [finding.rows for finding in one.findings if not finding.by]
    assert sum(counted) == len(rows)
    assert 0 not in counted


def test_of_many_groups_the_ends_are_drawn_beside_all_together(tmp_path):
    rows, method = made(size=2000)
    rows = rows.with_columns(sex=(pl.col("source") % 9).cast(pl.String))
    course = curve(bundle_of(tmp_path, rows, method), "x0")
    drawn = drawn_of(course)
    assert len(course.names) == 10
    assert (len(drawn), drawn[-1]) == (MOST_LINES, "all")
    lines = next(one for one in course_chart(course)["layer"] if one["mark"]["type"] == "line")
    looks = lines["encoding"]["color"]["scale"]
    assert looks["domain"][-1] == "all"
    assert looks["range"] == [*COLOURS]
    few = curve(bundle_of(tmp_path, *made()), "x0")
    lines = next(one for one in course_chart(few)["layer"] if one["mark"]["type"] == "line")
    assert lines["encoding"]["color"]["scale"]["range"] == [*COLOURS[:2], COLOURS[-1]]


def test_figures_of_no_bin_are_no_curve(tmp_path):
    rows, method = made()
    found = bundle_of(tmp_path, rows, method).findings
    assert len(curves_of(found, "variant")) == 2
    assert not curves_of(found, "")
    assert not curves_of(found, "other")


def test_in_text_too_a_bin_that_a_rule_is_about_stands_by_itself(tmp_path):
    rows, method = made()
    gate = [{"id": "alike", "rule": "difference(mean_local_effect, by=sex) <= 5"}]
    one, two = bundle_of(tmp_path, rows, method, gate=gate), bundle_of(tmp_path, rows, method)
    blocks = [block for section in shown_sections(one) for block in section.blocks]
    scopes = {block.lead.slice for block in blocks}
    headings = [line for line in plain(one).splitlines() if line.startswith("In variant")]
    assert len(blocks) == len(scopes) == len(headings) == 10
    assert "In variant" not in plain(two)


def test_limits_of_a_broken_piece_hold_the_error_of_the_height_that_it_stands_at(tmp_path):
    # In the last bins all are moved alike: what is not known there is the height alone.
    rows, method = made(size=900)
    third = (pl.col("variant") == "x0") & (pl.col("ale_bin") == 3)
    behind = (pl.col("variant") == "x0") & (pl.col("ale_bin") > 3)
    few = third & (pl.col("sex") == "f") & (pl.int_range(pl.len()).over("sex", "ale_bin") >= 7)
    alike = pl.when(behind).then(0.1).otherwise(pl.col("local_effect"))
    rows = rows.filter(~few).with_columns(local_effect=alike)
    course = curve(bundle_of(tmp_path, rows, method), "x0")
    _, _, low, high, _ = line(course, "f")
    _, _, least, most, _ = line(course, "all")
    np.testing.assert_allclose((high - low)[3:], (most - least)[5], rtol=1e-9)
    assert (most - least)[5] > 0.01


def test_bins_of_which_no_difference_is_known_are_counted_apart(tmp_path):
    rows, method = made(size=900)
    third = (pl.col("variant") == "x0") & (pl.col("ale_bin") == 3)
    alike = pl.when(third & (pl.col("sex") == "f")).then(0.0).otherwise(pl.col("local_effect"))
    course = curve(bundle_of(tmp_path, rows.with_columns(local_effect=alike), method), "x0")
    assert " of 4 bins, each judged alone" in course.notes[0]
    assert course.notes[1] == "Nothing can be said of 1 more."
    assert course.notes[-1].startswith("f has no line from")
