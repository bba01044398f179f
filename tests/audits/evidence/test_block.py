"""Blocks: which findings are shown together, found among few as among all."""

from __future__ import annotations

import functools

import pytest

import bundles
import evenhand as eh
from evenhand.audits.evidence.archive import findings_again, packed
from evenhand.audits.evidence.block import may_share, together
from evenhand.cli.planted import RESULTS
from evenhand.worlds.search import Search

CURVE = [f"top_share(share={share})@10" for share in (0.1, 0.3)]


@functools.cache
def searched():
    plan = {**RESULTS, "measures": [*RESULTS["measures"], "exposure_gini@10", *CURVE]}
    return eh.audit(plan, table=Search(queries=60).simulate(1))


@pytest.mark.parametrize("bundle", [bundles.bundle, searched])
def test_a_block_is_the_same_among_findings_that_may_share_it(bundle):
    findings = bundle().findings
    blocks = together(findings)
    assert any(len(block) > 1 for block in blocks)
    for block in blocks:
        for one in block:
            few = [other for other in findings if may_share(other.measure, one.measure)]
            assert block in together(few)
            assert len(few) < len(findings)


def test_some_findings_are_read_as_all_are():
    whole = bundles.bundle()
    data, _ = packed(whole, "x")
    found = findings_again(
        data, "x", lambda record: may_share(record["measure"], "accuracy"), whole.plan.level
    )
    places = [place for place, one in enumerate(whole.findings) if one.measure == "accuracy"]
    assert [*found] == places
    assert [one.to_dict() for one in found.values()] == [
        whole.findings[place].to_dict() for place in places
    ]
