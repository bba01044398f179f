"""The form of a plan: every error with its line, all at once."""

import contextlib
import json
import random
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

from evenhand.audits.plan import AuditPlan, parse_plan
from evenhand.audits.plan.fit import fit
from evenhand.errors import EvenhandError, PlanError

PLAN = """\
evenhand: 1
subject: {product: lending, model: credit, version: v7, window: [2026-11-01, 2026-11-30]}
log:
  source: decisions.csv
  where: "year >= 2025"
roles:
  label: repaid
  prediction: "score >= 0.5"
unit: person
groups:
  sex: sex
  age: {column: age, bins: [25, 45]}
measures:
  - difference(true_positive_rate, by=sex)
  - {measure: "worst(accuracy, by=[sex, age])", slices: ["channel == 'web'"]}
level: 0.9
gate:
  - {id: gap, rule: "difference(true_positive_rate, by=sex) <= 0.05", certainty: 0.9}
waivers:
  - {rule: gap, owner: someone@example.org, expires: 2999-01-31, reason: known}
"""

ROWS = pl.DataFrame(
    {
        "repaid": [1, 0, 1, 0],
        "score": [0.9, 0.2, 0.4, 0.7],
        "person": ["a", "b", "c", "d"],
        "sex": ["f", "m", "f", "m"],
        "age": [20, 30, 50, 60],
        "year": [2025] * 4,
        "channel": ["web", "app"] * 2,
    }
)


def problems(text: str) -> list[str]:
    """The problems of a plan, in order."""
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_plan_is_read_as_it_is_written():
    plan, located = parse_plan(PLAN)
    assert plan.roles == {"label": "repaid", "prediction": "score >= 0.5"}
    assert plan.measures[1].slices == ["channel == 'web'"]
    assert plan.written_unit == "person"
    assert located.line(("gate", 0, "rule")) == 18


def test_a_plan_written_again_is_the_same_plan():
    plan, _ = parse_plan(PLAN)
    again, _ = parse_plan(plan.to_yaml())
    assert again == plan
    assert again.digest == plan.digest


def test_comments_and_order_do_not_change_the_digest():
    plan, _ = parse_plan(PLAN)
    lines = PLAN.splitlines()
    other, _ = parse_plan("\n".join(["# a comment", *lines[1:], lines[0]]))
    assert other.digest == plan.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit: person", "units: person", "audit.yaml:9 units: there is no key 'units' here."),
        ("  where:", "  whre:", "audit.yaml:5 log.whre: there is no key 'whre' here."),
        ("level: 0.9", "level: high", "audit.yaml:16 level: "),
        ("level: 0.9", "level: 2", "audit.yaml:16 level: "),
        ("label: repaid", "label: yes", "audit.yaml:7 roles.label: True is not text."),
        ("source: decisions.csv", "kind: decisions", "audit.yaml:3 log.source: the key 'source'"),
        ("id: gap, ", "", "audit.yaml:18 gate[0].id: the key 'id' is missing."),
        ("2999-01-31", "soon", "audit.yaml:20 waivers[0].expires: "),
        ("certainty: 0.9}", "certainty: 0.4}", "audit.yaml:18 gate[0].certainty: "),
        ("evenhand: 1", "evenhand: 9", "audit.yaml:1 evenhand: this plan has format 9"),
        ("evenhand: 1", "evenhand: one", "audit.yaml:1 evenhand: 'one' is no plan format."),
        ("level: 0.9", "level: 0.9\nlevel: 0.8", "audit.yaml:17 level: this key is here twice."),
        ("unit: person", "unit: [a, b, c]", "audit.yaml:9 unit: "),
        (
            "level: 0.9",
            "tables: [{source: a.csv, key: k, colums: [x]}]",
            "audit.yaml:16 tables[0].colums: there is no key 'colums' here.",
        ),
        (
            "level: 0.9",
            "tables: [{source: a.csv}]",
            "audit.yaml:16 tables[0].key: the key 'key' is missing.",
        ),
        ("level: 0.9", "tables: [{source: a.csv, key: 3}]", "audit.yaml:16 tables[0].key: "),
        ("level: 0.9", "tables: [a.csv]", "audit.yaml:16 tables[0]: "),
        (
            *("level: 0.9", "probes: [x]"),
            "audit.yaml:16 probes: probes are of a model, and the plan names none.",
        ),
        ("  sex: sex", "  sex: &a sex\n  b: *a", "audit.yaml:12: aliases (*name) are not read."),
    ],
)
def test_an_error_names_its_line(old, new, said):
    found = problems(PLAN.replace(old, new, 1))
    assert any(one.startswith(said) for one in found), found


def test_all_errors_come_at_once_in_the_order_of_the_lines():
    text = PLAN.replace("unit:", "units:").replace("level: 0.9", "level: x").replace("why", "y")
    lines = [int(one.split(":")[1].split()[0]) for one in problems(text)]
    assert lines == sorted(lines)
    assert len(lines) == 2


@pytest.mark.parametrize(
    "text",
    ["", "# nothing", "- a", "a: [1", "x", "a: !!python/object:os.system x", "? {a: b}\n: 1"],
)
def test_what_is_no_plan_is_refused_in_words(text):
    assert problems(text)


def test_two_rules_of_one_name_are_refused():
    twice = PLAN.replace("waivers:", "  - {id: gap, rule: 'accuracy >= 0.5'}\nwaivers:")
    assert "two rules are called 'gap'" in problems(twice)[0]


def test_a_deep_or_long_file_is_refused():
    assert problems("a: " + "[" * 5000)
    assert problems("a: " + "x" * 1_000_001)


def test_the_published_schema_accepts_the_plan_and_refuses_unknown_keys():
    schema = AuditPlan.model_json_schema()
    content = json.loads(json.dumps(yaml.safe_load(PLAN), default=str))
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**content, "extra": 1}, schema)


@pytest.mark.slow
def test_ten_thousand_broken_plans_end_in_words():
    """Mutations by a seed: bytes, lines and words of the plan changed, cut, doubled or moved."""
    rng = random.Random(1)  # noqa: S311 - a test, no secret
    pieces = [
        "\t",
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "&a ",
        "*a",
        "!!x ",
        "'",
        '"',
        "null",
        "1e999",
        "-0",
        "yes",
        "\x00",
        "\ud83d",
        "é",
        "~",
        "|",
        ">",
        "%",
        "@",
        "2026-13-40",
        "<<: ",
    ]
    for _ in range(10_000):
        text = PLAN
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            lines = text.splitlines()
            match rng.randrange(5):
                case 0:
                    text = text[:at] + rng.choice(pieces) + text[at:]
                case 1:
                    text = text[:at] + text[at + rng.randint(1, 12) :]
                case 2:
                    text = text[:at] + chr(rng.randrange(32, 127)) + text[at + 1 :]
                case 3:
                    rng.shuffle(lines)
                    text = "\n".join(lines)
                case _:
                    text = "\n".join([*lines, rng.choice(lines) if lines else ""])
            text = text or " "
        with contextlib.suppress(EvenhandError):
            plan, located = parse_plan(text)
            fit(plan, located, table=ROWS)


def test_a_plan_is_read_from_a_file_with_its_folder(tmp_path: Path):
    from evenhand.audits.plan.file import open_plan

    ROWS.write_csv(tmp_path / "decisions.csv")
    (tmp_path / "audit.yaml").write_text(PLAN)
    fitted = open_plan(tmp_path / "audit.yaml")
    assert fitted.log.source.name.endswith("decisions.csv")
    assert [*fitted.questions] == [None, "channel == 'web'"]


def test_side_tables_are_read_as_they_are_written():
    text = PLAN + "tables:\n  - {source: a.csv, key: who}\n  - {source: b.csv, key: {who: id}}\n"
    plan, _ = parse_plan(text)
    assert [table.key for table in plan.tables] == [{"who": "who"}, {"who": "id"}]
    assert plan.to_dict()["tables"] == [
        {"source": "a.csv", "key": "who"},
        {"source": "b.csv", "key": {"who": "id"}},
    ]
    again, _ = parse_plan(plan.to_yaml())
    assert again.digest == plan.digest
    longer, _ = parse_plan(text.replace("key: who", "key: {who: who}"))
    assert longer.digest == plan.digest


EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_plan_that_was_read_before_is_read_alike(path):
    text = path.read_text(encoding="utf-8")
    assert parse_plan(text, again=True) == parse_plan(text)
    written = parse_plan(text)[0].to_yaml()
    assert parse_plan(written, again=True) == parse_plan(written)
