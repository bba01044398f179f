"""Any two questions of one log can be asked in one scan."""

import itertools

import polars as pl

import evenhand as eh
from evenhand.audits.contrasts import contrasts
from evenhand.audits.estimate import requests
from evenhand.audits.question import ask
from evenhand.engine import plan_scan
from evenhand.errors import EvenhandError
from evenhand.measures.registry import measures


def test_any_two_questions_fit_into_one_plan():
    names = ["label", "prediction", "score", "neighbours", "group"]
    rows = pl.DataFrame({name: [0, 1] for name in names})
    roles = {name: name for name in names[:4]}
    log = eh.log(rows, kind="decisions", groups=["group"], **roles)
    wanted = [*measures(), *(f"difference(bounds({name}), by=group)" for name in measures())]
    wanted += [f"{name}(by=group)" for name, one in contrasts().items() if one.brings_measure]
    asked = {}
    for notation in wanted:
        try:
            asked[notation] = ask([notation], log)
        except EvenhandError:
            continue
    assert len(asked) > 40
    for one, other in itertools.combinations(asked.values(), 2):
        plan_scan(requests([*one, *other]), log)
