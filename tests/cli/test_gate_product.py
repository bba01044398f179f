"""``evenhand gate --product``: the centre decides, or its cache; files, statuses, what is said."""

import datetime as dt
import hashlib
import json
import xml.etree.ElementTree as ET

import pytest

import asked
import evenhand as eh
from evenhand.centre.store.evidence import accept
from evenhand.centre.store.policies import write_policy
from evenhand.centre.store.waivers import answer_waiver, request_waiver

pytestmark = pytest.mark.slow

FAILS = "difference(selection_rate, by=sex) <= 0.05"
PASSES = "difference(selection_rate, by=sex) <= 0.9"
UNDECIDED = "difference(selection_rate, by=sex) <= 0.6"


@pytest.fixture
def bundle(plan, tmp_path):
    """Evidence of a version."""

    def write(version="v7", rule=PASSES, subject=""):
        path = plan(rule)
        named = f"version: {version}{subject}"
        path.write_text(path.read_text().replace("version: v7", named))
        out = tmp_path / f"{version}.evidence.zip"
        eh.audit(path, out=out, force=True)
        return out

    return write


@pytest.fixture
def flags(served):
    """The flags that name a version of the centre."""

    def of(version="v7", *more):
        names = ("--product", "lending", "--model", "credit", "--version", version)
        return ("gate", *names, "--from", served.address, *more)

    return of


@pytest.fixture
def pushed(served, bundle):
    """Push evidence of a version."""

    def push(*of):
        path = bundle(*of)
        with eh.connect(served.address) as client:
            client.push(path)
        return path

    return push


@pytest.mark.parametrize(
    ("rule", "status", "verdict"),
    [(PASSES, 0, "pass"), (FAILS, 1, "fail"), (UNDECIDED, 3, "undecided")],
)
def test_the_status_and_the_json_say_the_verdict(*, read, flags, pushed, rule, status, verdict):
    pushed("v7", rule)
    left, document = read(*flags())
    assert (left, document["verdict"], document["mode"]) == (status, verdict, "online")
    assert set(document) >= {"verdict", "rules", "conditions", "evidence", "regressions", "policy"}
    (rule,) = document["rules"]
    assert (rule["id"], rule["verdict"], rule["waiver"]) == ("gap", verdict, None)
    assert {one["id"]: one["verdict"] for one in document["conditions"]} == {"age": "pass"}


def test_a_gate_without_the_centre_is_reconciled_and_the_same(
    read, evenhand, served, flags, pushed
):
    pushed("v7")
    assert evenhand(*flags())[0] == 0
    served.stop()
    assert evenhand(*flags())[0] == 4
    status, cached = read(*flags("v7", "--on-unreachable", "cached"))
    assert (status, cached["mode"]) == (0, "cached")
    served.start()
    status, text, said = evenhand(*flags())
    assert (status, said) == (0, "")
    assert "the centre decides the same" in text
    with eh.connect(served.address) as client:
        kinds = [one.kind for one in client.chain("lending")]
    assert kinds.count("decision") == 3
    assert evenhand(*flags())[1].count("cached") == 0


def test_a_new_version_is_gated_by_evidence_at_hand_while_the_centre_is_away(
    *, read, evenhand, served, flags, pushed, bundle
):
    write_policy(served.centre, None, "policy: 1\non_unreachable: cached\n", by="kim")
    pushed("v7")
    assert evenhand(*flags())[0] == 0
    path = bundle("v8")
    served.stop()
    status, cached = read("gate", path, *flags("v8", "--against", "v7")[1:])
    assert (status, cached["mode"], cached["version"]) == (0, "cached", "v8")
    path.unlink()
    served.start()
    status, document = read(*flags())
    (one,) = document["reconciled"]
    assert (one["version"], one["compared"], one["now"]) == ("v8", "same", "pass")


def test_a_verdict_of_the_cache_that_the_centre_knows_better_than_differs(
    *, evenhand, served, flags, pushed, bundle
):
    pushed("v7")
    evenhand(*flags())
    good = bundle("v8", PASSES)
    served.stop()
    away = flags("v8", "--on-unreachable", "cached")
    assert evenhand("gate", good, *away[1:])[0] == 0
    # The same version failed by another plan, which reached the centre and not the cache.
    accept(served.centre, bundle("v8", FAILS).read_bytes(), None, by="lee")
    served.start()
    status, out, said = evenhand(*flags(), "--json")
    assert status == 0
    (one,) = json.loads(out)["reconciled"]
    assert (one["verdict"], one["compared"], one["now"]) == ("pass", "differs", "fail")
    # Also where nobody reads the verdict.
    assert "DIFFERS" in said
    assert evenhand(*flags("v8"))[0] == 1


def test_what_ships_is_a_file_or_its_digest(read, flags, pushed, tmp_path):
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    digest = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    pushed("v7", PASSES, f', artefact: "{digest}"')
    for named in (model, digest):
        status, document = read(*flags("v7", "--artefact", named))
        assert (status, document["artefact"]) == (0, digest)
    model.write_bytes(b"other weights")
    status, document = read(*flags("v7", "--artefact", model))
    assert status == 1
    assert {one["id"] for one in document["conditions"] if one["verdict"] == "fail"} == {"artefact"}
    status, document = read(*flags("v7", "--artefact", tmp_path / "none"))
    assert status == 2
    assert "no such file" in document["errors"][0]["what"]


def test_a_waiver_that_was_approved_is_honoured_where_that_is_asked(
    evenhand, served, flags, pushed
):
    pushed("v7", FAILS)
    waiver = request_waiver(
        served.centre,
        "lending",
        model="credit",
        rule="gap",
        owner="lee",
        reason="known",
        expires=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3),
        requester="kim",
    )
    assert evenhand(*flags("v7", "--honour-waivers"))[0] == 1
    answer_waiver(served.centre, waiver.id, approver="ada", approved=True)
    status, text, _ = evenhand(*flags("v7", "--honour-waivers"))
    assert status == 0
    assert "FAIL" in text
    assert evenhand(*flags())[0] == 1


def test_reports_and_the_summary_of_a_step_are_of_the_decision(
    evenhand, flags, pushed, tmp_path, monkeypatch
):
    pushed("v7", FAILS)
    step = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    files = (
        "--junit",
        tmp_path / "j.xml",
        "--sarif",
        tmp_path / "s.sarif",
        "--plan",
        "a/audit.yaml",
    )
    assert evenhand(*flags("v7", *files))[0] == 1
    cases = ET.fromstring((tmp_path / "j.xml").read_text()).findall(".//testcase")  # noqa: S314 - our own file
    assert [case.get("name") for case in cases] == ["age", "gap"]
    assert cases[1].get("line") == "10"
    (result,) = json.loads((tmp_path / "s.sarif").read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("a/audit.yaml", 10)
    assert step.read_text().startswith("## lending / credit / v7: fail")
    status, _, said = evenhand(*flags("v7", *files))
    assert status == 2
    assert "it is there already" in said


def test_names_come_from_evidence_at_hand_where_no_flag_says_them(read, served, pushed, bundle):
    path = pushed("v7")
    status, document = read("gate", path, "--from", served.address)
    assert (status, document["product"], document["version"]) == (0, "lending", "v7")
    status, document = read("gate", path, bundle("v8"), "--from", served.address)
    assert status == 2
    assert "several versions" in document["errors"][0]["what"]


def test_every_usage_error_is_said_at_once(read, evenhand, served, tmp_path):
    to = ("--from", served.address)
    status, document = read("gate", "--product", "lending", "--artefact", tmp_path / "none", *to)
    assert status == 2
    assert [one["where"] for one in document["errors"]][:2] == ["--model", "--version"]
    status, _, said = evenhand("gate", "x.evidence.zip", "--model", "credit", "--against", "v7")
    assert status == 2
    assert said.startswith("--model, --against: only the centre decides")
    assert evenhand("gate")[0] == 2
    status, _, said = evenhand("gate", "--product", "p", "--model", "m", "--version", "v")
    assert "no centre is named" in said


def test_an_unknown_product_is_a_usage_error(evenhand, flags):
    status, _, said = evenhand(*flags())
    assert status == 2
    assert "there is no such product" in said


def test_a_key_that_was_brought_along_must_be_that_of_the_centre(
    evenhand, served, flags, pushed, tmp_path
):
    pushed("v7")
    key = tmp_path / "public.pem"
    with eh.connect(served.address) as client:
        key.write_text(client.about().key)
    assert evenhand(*flags("v7", "--key", key))[0] == 0
    key.write_text("another")
    status, _, said = evenhand(*flags("v7", "--key", key))
    assert status == 4
    assert "another key than the one that is trusted" in said


def test_a_token_lets_the_gate_in(evenhand, served, flags, pushed, tmp_path):
    pushed("v7")
    served.stop()
    served.start(auth="token")
    assert evenhand(*flags())[0] == 2
    token = tmp_path / "token"
    token.write_text(asked.token(served.centre, product="lending", rights=("read", "push")))
    assert evenhand(*flags("v7", "--token-file", token))[0] == 0
    token.write_text(asked.token(served.centre, product="search", rights=("read", "push")))
    status, _, said = evenhand(*flags("v7", "--token-file", token))
    assert status == 2
    assert "lending" in said
