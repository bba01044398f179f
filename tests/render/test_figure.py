"""The figures of a bundle one by one."""

from __future__ import annotations

from evenhand.render.figure import figures


def test_every_figure_is_listed_once(bundle):
    found = [(one.name, one.group, one.scope) for one in figures(bundle)]
    assert len(found) == len({*found})


def test_every_finding_and_every_group_is_listed(bundle):
    found = {(one.name, one.scope) for one in figures(bundle)}
    for finding in bundle.findings:
        scope = finding.slice or "all rows"
        assert (finding.key, scope) in found
        assert not finding.groups or (finding.measure, scope) in found


def test_a_suppressed_group_has_no_counts(bundle):
    (other,) = [one for one in figures(bundle) if one.group == "race = Other"]
    assert (other.rows, other.units) == (None, None)
    assert other.value == "undefined: fewer than 30 units"
    assert other.limits is None


def test_the_two_groups_of_a_pair_are_named_in_their_order(bundle):
    names = [one.group for one in figures(bundle) if one.name.startswith("pairs")]
    assert "race = Black against race = White" in names
