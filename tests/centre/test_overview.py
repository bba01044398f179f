"""The heat map: what tables say of products, beside a count by hand."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest

from evenhand.centre.dossier import PILLARS
from evenhand.centre.store.cell import WORST_FIRST, state_of
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.overview import Wanted, overview
from evenhand.centre.store.policies import write_policy
from evenhand.centre.store.registry import describe_product, ensure_product, ensure_version
from evenhand.centre.store.tables import Audit, Standing
from pushed import evidence

VERDICTS = ("fail", "undecided", "pass", None)


@pytest.fixture
def company(centre, clock):
    """Twelve products, each with up to three models that stand anywhere, and their standing."""
    rng = random.Random(4)  # noqa: S311 - a draw
    found: dict[str, dict[str, list[tuple[str | None, dt.datetime]]]] = {}
    with centre.database.writing() as session:
        for number in range(12):
            name = f"{rng.choice(['Alpha', 'beta'])} {number}"
            product = ensure_product(session, centre, name, "kim", f"team {number % 3}")
            found[name] = {}
            for model in range(rng.randrange(4)):
                place = ensure_version(
                    session,
                    centre,
                    product,
                    model=f"m{model}",
                    version="v1",
                    artefact=None,
                    by="kim",
                )
                for pillar in rng.sample(PILLARS, 2):
                    audited = clock() - dt.timedelta(days=rng.randrange(90), hours=1)
                    verdict = rng.choice(VERDICTS)
                    audit = evidence_row(session, place, pillar, verdict, audited)
                    session.add(
                        Standing(
                            model_id=place.model.id,
                            pillar=pillar,
                            product_id=product.id,
                            version_id=place.version.id,
                            audit_id=audit.id,
                            verdict=verdict,
                            audited=audited,
                        )
                    )
                    found[name].setdefault(pillar, []).append((verdict, audited))
    return found


def evidence_row(session, place, pillar, verdict, audited):
    number = random.Random(f"{place.version.id} {pillar}").getrandbits(256)  # noqa: S311
    audit = Audit(
        bundle=f"sha256:{number:064x}",
        manifest=f"sha256:{number:064x}",
        product_id=place.product.id,
        model_id=place.model.id,
        version_id=place.version.id,
        plan="sha256:" + "0" * 64,
        kind="decisions",
        pillar=pillar,
        audited=audited,
        received=audited,
        pushed_by="kim",
        evenhand="1",
        size=1,
        verdict=verdict,
        passed=0,
        failed=0,
        undecided=0,
        findings=0,
    )
    session.add(audit)
    session.flush()
    return audit


def by_hand(company, now, ages):
    """Return the state of every product in every pillar."""
    rank = {verdict: place for place, verdict in enumerate(VERDICTS)}
    return {
        name: {
            pillar: state_of(
                min((verdict for verdict, _ in some), key=rank.__getitem__),
                min(audited for _, audited in some),
                ages(name),
                now,
            )
            for pillar, some in pillars.items()
        }
        for name, pillars in company.items()
    }


def in_order(states):
    def worst(name):
        every = [states[name].get(pillar, "never audited") for pillar in PILLARS]
        return (*(-every.count(state) for state in WORST_FIRST), name.casefold())

    return sorted(states, key=worst)


@pytest.mark.parametrize("own", [False, True])
def test_the_heat_map_is_what_a_count_by_hand_says(centre, clock, company, own):
    write_policy(centre, None, "policy: 1\nmax_age: 60d\n", by="kim")
    mine = [*company][:2] if own else []
    for days, name in zip((10, 30), mine, strict=False):
        write_policy(centre, name, f"policy: 1\nmax_age: {days}d\n", by="kim")
    ages = dict(zip(mine, (dt.timedelta(10), dt.timedelta(30)), strict=False))
    states = by_hand(company, clock(), lambda name: ages.get(name, dt.timedelta(60)))
    order = in_order(states)
    with centre.database.reading() as session:
        seen = overview(session, clock())
        assert [row.name for row in seen.rows] == order
        for row in seen.rows:
            known = states[row.name]
            expected = [known.get(pillar, "never audited") for pillar in PILLARS]
            assert [cell.state for cell in row.cells] == expected
        every = [cell.state for row in seen.rows for cell in row.cells]
        assert seen.counts == {state: every.count(state) for state in WORST_FIRST}
        assert seen.red == sum("fail" in known.values() for known in states.values())
        assert seen.products == seen.found == len(company)
        part = overview(session, clock(), start=5, most=4)
        assert ([row.name for row in part.rows], part.found) == (order[5:9], len(company))
        past = overview(session, clock(), start=50)
        assert (past.rows, past.found) == ((), len(company))


def test_what_is_asked_for_is_what_is_shown(centre, clock, company):
    states = by_hand(company, clock(), lambda _: None)
    with centre.database.reading() as session:
        for pillar, state in itertools.product((None, *PILLARS), (None, *WORST_FIRST)):
            pillars = PILLARS if pillar is None else [pillar]

            def fits(name, pillars=pillars, pillar=pillar, state=state):
                every = [states[name].get(one, "never audited") for one in pillars]
                if state is None:
                    return pillar is None or every != ["never audited"]
                return state in every

            seen = overview(session, clock(), Wanted(pillar=pillar, state=state))
            expected = [name for name in in_order(states) if fits(name)]
            assert [row.name for row in seen.rows] == expected
            assert (seen.found, seen.products) == (len(expected), len(company))
        seen = overview(session, clock(), Wanted(search="ALPHA", owner="team 1"))
        assert {row.name for row in seen.rows} == {
            name for number, name in enumerate(company) if name[0] == "A" and number % 3 == 1
        }


def test_who_may_see_one_product_is_told_of_no_other(centre, clock, company):
    one = [*company][3]
    with centre.database.reading() as session:
        seen = overview(session, clock(), only=one)
    assert [row.name for row in seen.rows] == [one]
    assert (seen.products, sum(seen.counts.values())) == (1, len(PILLARS))


def test_the_map_is_never_behind_what_happened(centre, clock):
    """It is kept until something happens; whatever changes it is something."""

    def shown():
        with centre.database.reading() as session:
            (row,) = overview(session, clock()).rows
        fairness = row.cells[0]
        return row.title, row.owner, fairness.state, row.gated and row.gated.version

    subject = Subject("loans", "score", "v1")
    data = evidence(created=clock())
    accept(centre, data, subject, by="kim")
    first = shown()
    assert first == shown()
    assert first[0::3] == ("", None)
    with centre.database.writing() as session:
        product = ensure_product(session, centre, "loans", "kim")
        describe_product(session, centre, product, owner="lee", title="Loans", by="kim")
    assert shown()[:2] == ("Loans", "lee")
    decide_now(centre, subject, by="kim")
    assert shown()[3] == "v1"
    clock.pass_(days=100)
    stale = "fail" if first[2] == "fail" else "stale"
    assert shown()[2] == stale
    write_policy(centre, None, "policy: 1\nmax_age: 200d\n", by="kim")
    assert shown()[2] == first[2]
    write_policy(centre, "loans", "policy: 1\nmax_age: 10d\n", by="kim")
    assert shown()[2] == stale
    accept(centre, evidence(version="v2", created=clock()), None, by="kim")
    assert shown()[2] == first[2]
