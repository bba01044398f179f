"""Slices: parts of the rows that a plan measures too."""

import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.contrasts import contrasts
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.conformance.row import kind_of
from evenhand.measures.registry import measures

ROWS = pl.DataFrame(
    {
        "group": ["a", "b"] * 100,
        "prediction": [1, 0, 1, 1] * 50,
        "label": [1, 0, 0, 1] * 50,
        "score": [0.5, 0.2] * 100,
        "neighbours": [0.5] * 200,
        "person": [*range(100)] * 2,
        "channel": ["web"] * 120 + ["app"] * 80,
    }
)
ROLES = {name: name for name in ("label", "prediction", "score", "neighbours")}


def bundle(measure_entries, unit="row", engine=None, **more):
    content = {
        "evenhand": 1,
        "log": {"source": "a table"},
        "roles": ROLES,
        "groups": {"group": "group"},
        "unit": unit,
        "measures": measure_entries,
        **more,
    }
    return run(fit(plan_from(Located("", content, {})), table=ROWS, engine=engine), version="test")


def test_a_slice_is_measured_beside_all_rows():
    whole, sliced = bundle([{"measure": "accuracy", "slices": ["channel == 'web'"]}]).findings
    assert whole.slice is None
    assert sliced.slice == "channel == 'web'"
    web = eh.log(ROWS, kind="decisions", where="channel == 'web'", **ROLES)
    assert sliced.value == eh.estimate("accuracy", web).value


def test_a_slice_is_inside_the_filter_of_the_plan():
    log = {"source": "a table", "where": "score > 0.3"}
    entry = {"measure": "selection_rate", "slices": ["channel == 'web' or channel == 'app'"]}
    whole, sliced = bundle([entry], log=log).findings
    assert whole.rows == sliced.rows == 100


@pytest.mark.parametrize("unit", ["row", "person", ["person", "channel"]])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_every_figure_of_an_empty_slice_is_undefined(unit, engine):
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    of_rows = {n: cls for n, cls in measures().items() if kind_of(cls) == "decisions"}
    names = [name for name, cls in of_rows.items() if cls.reads == "classes"]
    figures = [*names, *(f"difference({name}, by=group)" for name in names)]
    figures += [
        one.example.replace("stratum", "channel").replace("selection_rate", "accuracy")
        for one in contrasts().values()
        if "of=" not in one.example  # of items of ranked lists, which decisions have not
    ]
    figures = [*dict.fromkeys(figures)]
    entries = [{"measure": one, "slices": ["score > 5"]} for one in figures]
    found = [one for one in bundle(entries, unit, engine).findings if one.slice]
    assert {one.measure for one in found} >= {*names}
    assert all(one.undefined for one in found)
    assert len({one.key for one in found}) == len(figures), "no figure is left out"


def test_a_rule_in_an_empty_slice_is_undecided():
    entry = {"measure": "accuracy", "slices": ["score > 5"]}
    gate = [{"id": "good", "rule": "accuracy >= 0.1"}]
    verdicts = [rule.verdict for rule in bundle([entry], gate=gate).rules]
    assert verdicts == ["pass", "undecided"]
