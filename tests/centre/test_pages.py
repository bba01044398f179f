"""Pages: each renders, is well made, says what tables and bundles have, and has a JSON twin."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import numpy as np
import pytest

import bundles
from asked import HOST, client, page, token
from evenhand.audits.evidence.archive import packed
from evenhand.centre.store.centre import open_centre
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.evidence import Subject, accept
from evenhand.centre.store.jobs import enqueue
from evenhand.centre.store.plans import register_plan
from evenhand.centre.store.policies import write_policy
from evenhand.centre.store.runs import end_run, start_run
from evenhand.centre.store.sessions import issue_once
from evenhand.centre.store.waivers import request_waiver
from evenhand.worlds.decisions import DecisionWorld
from markup import Page

NOW = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
HOSTILE = '<script>alert("x")</script>'
FEW = bundles.PLAN.replace("min_units: 5", "min_units: 110")
"""Of three groups one is shown, so that nothing can be compared."""


def hostile() -> bytes:
    """Return evidence whose names are made to break a page."""
    names = (HOSTILE, "'\"&</td>", "\u202eevil")
    rates = dict.fromkeys(names, 0.5)
    world = DecisionWorld(rates, rates, rates, rows_per_unit=5, intra_unit=0.2)
    made = bundles.audited(world.rows(dict.fromkeys(names, 60), np.random.default_rng(1)))
    return sealed(made, "hostile", owner=HOSTILE)


def sealed(made, product, version="v1", created=NOW, **more) -> bytes:
    said = {"product": product, "model": "score", "version": version, **more}
    subject = type(made.plan.subject).model_validate(said)
    plan = made.plan.model_copy(update={"subject": subject})
    return packed(replace(made, plan=plan, created=created), "x.evidence.zip")[0]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A centre with evidence of every kind, in which nothing is changed by looking."""
    folder = tmp_path_factory.mktemp("centre")
    rows = folder / "rows"
    rows.mkdir()
    bundles.rows_of().write_csv(rows / "loans.csv")
    centre = open_centre(folder=folder, roots=(str(rows),), clock=lambda: NOW)
    month = dt.timedelta(days=30)
    write_policy(centre, None, "policy: 1\nmax_age: 60d\nrequire: [fair]\n", by="lea")
    whole = bundles.bundle()
    for version, age in (("v1", 2 * month), ("v2", month)):
        accept(centre, sealed(whole, "loans", version, NOW - age), None, by="ci")
    last = NOW - dt.timedelta(days=3)
    accept(centre, sealed(gated(0.2, 0.99), "loans", "v3", last), None, by="ci")
    accept(centre, sealed(bundles.audited(bundles.rows_of(), FEW), "few"), None, by="ci")
    accept(centre, sealed(replace(whole, rules=()), "ruleless"), None, by="ci")
    accept(centre, sealed(gated(0.9, 0.1), "old", created=NOW - 4 * month), None, by="ci")
    accept(centre, sealed(gated(0.9, 0.1), "good"), None, by="ci")
    accept(centre, hostile(), None, by=HOSTILE)
    register_plan(centre, "loans", "fair", bundles.PLAN, by="lea")
    write_policy(centre, "loans", "policy: 1\nmost_runs: 1\n", by="lea")
    loans = Subject("loans", "score", "v3")
    for number, state in enumerate(("started", "failed", "finished")):
        id_ = f"{number:032x}"
        start_run(centre, loans, id=id_, plan=f"sha256:{'a' * 64}", by="ci")
        if state != "started":
            said = f"sha256:{'b' * 64}" if state == "finished" else None
            end_run(centre, id_, state=state, bundle=said, reason=HOSTILE, by="ci")
    for product, against in (("loans", "v2"), ("few", None), ("hostile", None)):
        version = "v3" if product == "loans" else "v1"
        decide_now(centre, Subject(product, "score", version), against=against, by="ci")
    request_waiver(
        centre,
        "loans",
        model="score",
        rule="gap",
        owner="kim",
        reason=HOSTILE,
        expires=(NOW + month).date(),
        requester="lea",
    )
    enqueue(centre, loans, {"text": f"# {HOSTILE}", "folder": str(rows)}, by="lea")
    yield centre
    centre.database.close()


def gated(gap: float, accuracy: float):
    """Return evidence whose rules have these limits."""
    text = bundles.PLAN.replace("<= 0.2", f"<= {gap}").replace(">= 0.5", f">= {accuracy}")
    return bundles.audited(bundles.rows_of(), text)


@pytest.fixture(scope="module")
def browser(filled):
    """A browser that was let in by the one-time address."""
    made = client(filled)
    assert made.get(f"/?once={issue_once(filled)}").status_code == 303
    return made


def read(browser, address: str, status: int = 200) -> Page:
    answer = browser.get(address)
    assert answer.status_code == status, (address, answer.text[:2000])
    return Page(answer.text)


@pytest.mark.slow
def test_every_link_leads_to_a_page_that_is_well_made_and_has_a_twin(browser):
    left, seen, twins = ["/", "/start", "/search?q=rate", "/compare"], set(), set()
    while left:
        address = left.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = browser.get(address)
        assert answer.status_code == 200, address
        if not answer.headers["content-type"].startswith("text/html") or "/report" in address:
            continue
        found = Page(answer.text)
        assert found.faults() == [], address
        left += found.links
        if found.twin is not None:
            twins.add(found.twin)
        else:
            assert address.startswith(("/start", "/compare")), address
    kinds = {re.sub(r"sha256:\w+|[0-9a-f]{32}|\?.*|\d+$", "*", one) for one in seen}
    assert {"/", "/jobs", "/jobs/*", "/policies", "/audits/*/findings/*", "/search*"} <= kinds
    assert any(one.startswith("/compare?") for one in seen)
    for twin in twins:
        answer = browser.get(twin)
        assert answer.status_code == 200, twin
        assert answer.headers["content-type"] == "application/json", twin


@pytest.mark.parametrize("address", ["/", "/jobs", "/policies", "/search", "/search?q=x", "/start"])
def test_pages_of_an_empty_centre_say_what_to_do(centre, address):
    found = read(client(centre), address)
    assert found.faults() == []
    assert re.search("evenhand|For example|Nothing has|was written", found.text)


def test_the_first_hour_is_four_commands(centre):
    found = read(client(centre), "/")
    verbs = re.findall(r"evenhand (\w+)", " ".join(found.texts))
    assert verbs[:4] == ["init", "audit", "push", "gate"]
    assert f"http://{HOST}" in found.text


def test_the_heat_map_has_the_worst_first_each_state_in_a_word(browser):
    found = read(browser, "/")
    names = [one["href"] for one in found.all("a") if one["href"].startswith("/products/")]
    products = [*dict.fromkeys(re.findall(r"/products/(\w+)", " ".join(names)))]
    assert products == ["loans", "few", "hostile", "old", "ruleless", "good"]
    for word in ("Fail", "Undecided", "Stale", "Never audited", "No rules", "Pass"):
        assert word in found.texts, word
    assert "1 of 6 products has a red gate" in found.texts


def test_products_are_found_by_name_owner_and_state(browser):
    def shown(address):
        links = read(browser, address).links
        return {*re.findall(r"/products/(\w+)", " ".join(links))}

    assert shown("/?search=OAN") == {"loans"}
    assert shown("/?state=stale") == {"old"}
    assert shown("/?state=stale&pillar=privacy") == set()
    assert shown("/?pillar=fairness&state=undecided") == {"few", "hostile"}
    assert shown("/?owner=alert") == {"hostile"}
    assert shown("/?search=zzz") == set()
    assert "No product fits" in read(browser, "/?search=zzz").text
    # What no filter could be is none.
    assert len(shown("/?state=red&pillar=x")) == 6


def test_nothing_that_was_written_elsewhere_becomes_markup(browser):
    pages = [*{*read(browser, "/products/hostile").links, *read(browser, "/products/loans").links}]
    pages += ["/products/hostile/waivers", "/products/loans/waivers", f"/search?q={HOSTILE}"]
    told = 0
    for address in pages:
        text = browser.get(address).text
        if address.startswith("/api"):
            continue
        assert "<script>alert" not in text, address
        told += "&lt;script&gt;" in text
    assert told >= 5
    bundle = next(one for one in pages if one.startswith("/audits/sha256:"))
    for position in range(3):
        text = browser.get(f"{bundle}/findings/{position}").text
        assert "<script>alert" not in text
        # A sign that turns the direction of writing could make a name look like another.
        assert "\u202e" not in text


def test_an_undefined_figure_says_why_and_never_shows_a_number(browser):
    audit = read(browser, "/products/few").links
    (address,) = {one for one in audit if one.startswith("/audits/")}
    listed = read(browser, f"{address}?verdict=undefined")
    assert "Undefined:" in listed.text
    positions = [one for one in listed.links if "/findings/" in one]
    found = read(browser, positions[0])
    assert "Undefined" in found.texts
    assert "fewer than 110 units" in found.text


def test_findings_are_filtered_and_cut_into_pages(browser, monkeypatch):
    from evenhand.centre.web import audit

    (address,) = {one for one in read(browser, "/products/few").links if "/audits/" in one}
    whole = [one for one in read(browser, address).links if "/findings/" in one]
    monkeypatch.setattr(audit, "_ROWS", 3)
    parts, left = [], address
    while left:
        found = read(browser, left)
        parts += [one for one in found.links if "/findings/" in one and "start" not in one]
        after = [one for one in found.all("a") if one.get("rel") == "next"]
        left = after[0]["href"] if after else None
    assert {*parts} == {*whole}
    measure = read(browser, f"{address}?measure=accuracy")
    assert {one for one in measure.texts if one.startswith(("ratio(", "pairs("))} == set()
    assert "No finding fits" in read(browser, f"{address}?search=zzz").text


def test_a_version_says_why_its_gate_is_red_and_which_of_how_many_decided(browser):
    found = read(browser, "/products/loans/models/score/versions/v3")
    assert "Fail" in found.texts
    assert "the only audit by its plan" in found.text
    assert any(one.startswith("/compare?before=") for one in found.links)
    product = read(browser, "/products/loans")
    assert "1 run failed" in product.text
    assert "1 run has no end" in product.text
    assert "1 run wrote evidence that is not here" in product.text
    assert "1 plan was run more than once" in product.text


def test_a_finding_is_shown_as_its_report_says_it(browser):
    from evenhand.render.reading import reading

    (address, *_) = [one for one in read(browser, "/products/loans").links if "/audits/" in one]
    whole = gated(0.2, 0.99)
    for position, one in enumerate(whole.findings):
        text = read(browser, f"{address}/findings/{position}").text
        assert one.key in text
        assert reading(one, whole.plan.roles)[1:] in text
    assert "has 8 findings" in read(browser, f"{address}/findings/99", 404).text


def test_figures_over_time_are_those_of_each_audit(browser):
    found = read(browser, "/products/loans/time")
    assert {"v1", "v2", "v3"} <= {*found.texts}
    assert len(found.all("circle")) > 3
    key = "ratio(selection_rate, by=group)"
    chosen = read(browser, f"/products/loans/time?model=score&key={key}")
    assert key in chosen.text
    none = read(browser, "/products/loans/time?model=score&key=auc")
    assert "has this figure" in none.text


def test_two_audits_of_the_same_rows_have_the_same_figures(browser):
    links = [
        link.removeprefix("/audits/")
        for version in ("v1", "v2")
        for link in read(browser, f"/products/loans/models/score/versions/{version}").links
        if link.startswith("/audits/")
    ]
    one, other = dict.fromkeys(links)
    found = read(browser, f"/compare?before={other}&after={one}")
    assert "Both have the same figures." in found.texts


def test_what_is_not_there_is_told_on_a_page(browser):
    for address in ("/nope", "/products/nope", f"/audits/sha256:{'0' * 64}", f"/jobs/{'0' * 32}"):
        found = read(browser, address, 404)
        assert found.faults() == []
        assert "Not found" in found.texts


def test_styles_and_program_are_kept_by_browsers_until_they_change(browser):
    found = read(browser, "/")
    style = next(one["href"] for one in found.all("link") if one["rel"] == "stylesheet")
    program = found.all("script")[0]["src"]
    for address, kind in ((style, "text/css"), (program, "text/javascript")):
        answer = browser.get(address)
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
        old = browser.get(address.replace("v=", "v=0"))
        assert "immutable" not in old.headers["cache-control"]
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", browser.get(style).text)


def test_forms_are_shown_to_those_who_may_send_them(filled):
    reader = client(filled)
    for address in ("/policies", "/products/loans/waivers", "/start"):
        found = read(reader, address)
        assert not [one for one in found.all("form") if one.get("method") == "post"], address
        assert "evenhand serve" in found.text


def test_pages_ask_for_a_token_where_people_log_in(filled):
    asked = client(filled, "token")
    assert asked.get("/").headers["location"].startswith("/login")
    assert read(asked, "/login").faults() == []
    assert "lets nobody in" in read(asked, "/login?failed=1").text
    text = token(filled, product="loans", rights=("read",))
    answer = asked.post("/login", data={"token": text}, headers=page())
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    home = read(asked, "/")
    assert "kim" in home.texts
    assert {*re.findall(r"/products/(\w+)", " ".join(home.links))} == {"loans"}
    assert home.text.count("1 product") >= 1
    for address in ("/products/few", "/products/nope"):
        assert "there is no such product" in read(asked, address, 404).text
    other = next(one for one in read(client(filled), "/products/few").links if "/audits/" in one)
    read(asked, other, 404)
    read(asked, f"{other}/findings/0", 404)
    read(asked, f"/compare?before={other[8:]}&after={other[8:]}", 404)
    assert "few" not in read(asked, "/search?q=few").links
    assert not [one for one in read(asked, "/search?q=rate").links if one.startswith(other)]
