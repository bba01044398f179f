"""Evidence of a probe's log at the centre: accepted as any other, and its report says all of it."""

from __future__ import annotations

import probed
from asked import client
from evenhand.audits.evidence.archive import packed
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.centre.store.evidence import Subject, accept, evidence_records
from evenhand.centre.store.report import report_of
from evenhand.render.done import TITLE, UPPER_BOUND

DIGITS = Subject("digits", "cnn", "v1")


def test_evidence_that_says_what_made_its_rows_is_accepted_and_shown(centre, tmp_path):
    variants = ("linf 0.05", "linf 0.1")
    flags = [probed.trust("linf 0.05"), probed.trust("linf 0.1", raised=True)]
    content = {
        "evenhand": 1,
        "subject": {"product": "digits", "model": "cnn", "version": "v1"},
        "log": {
            "source": str(probed.log(tmp_path / "a.parquet", flags=flags)),
            "kind": "perturbed",
        },
        "groups": {"stroke": "stroke"},
        "measures": [
            {
                "measure": "worst(robust_accuracy, by=stroke)",
                "slices": [f"variant == '{name}'" for name in variants],
            }
        ],
        "gate": [{"id": "r", "rule": "worst(robust_accuracy, by=stroke) >= 0.3", "reliable": True}],
    }
    bundle = run(fit(plan_from(Located("", content, {}))), version="0.1.0")
    accepted = accept(centre, packed(bundle, "x.evidence.zip")[0], DIGITS, by="kim")
    with centre.database.reading() as session:
        (record,) = evidence_records(session, accepted.audit.version_id)
    assert record.verdict == "undecided"
    assert [one["reliable"] for one in record.rules] == [True, True]
    assert "the attack is not to be relied on" in record.rules[1]["reason"]
    shown = client(centre).get(f"/audits/{accepted.audit.bundle}").text
    assert TITLE in shown
    assert "not reliable" in shown
    page = report_of(centre, accepted.audit.bundle).decode()
    for said in (TITLE, UPPER_BOUND, "digit_models:cnn", "Against eps (linf), by stroke"):
        assert said in page
