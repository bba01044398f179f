"""Roots: a job reads what lies under them, however its plan writes the way out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evenhand.audits.plan.parsed import parse_plan
from evenhand.centre.dossier import plan_identity
from evenhand.centre.jobs.roots import (
    check_files,
    outside,
    plan_file,
    refusal,
    roots_of,
    start_folder,
)
from evenhand.errors import EvenhandError, PlanError, SourceError


@pytest.fixture
def world(tmp_path):
    """Two folders with a log each, of which the first is a root."""
    for name in ("data", "data2", "data/day=1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "log.csv").write_text("a\n1\n")
    return tmp_path


def refused(source, *roots, engine="polars"):
    return refusal(str(source), roots_of([str(root) for root in roots]), engine=engine)


def problems(text, roots, **options):
    plan, located = parse_plan(text)
    return outside(plan, located, roots_of(roots), **{"engine": "polars", **options})


@pytest.mark.parametrize(
    "path", ["data/log.csv", "data/day=1/log.csv", "data", "data/*/*.csv", "data/**/*.csv"]
)
def test_what_lies_in_a_folder_is_read(world, path):
    assert refused(world / path, world / "data") is None


@pytest.mark.parametrize(
    "path",
    [
        "data2/log.csv",  # begins with the same letters
        "data/../data2/log.csv",
        "data/day=1/../../data2/log.csv",
        "data2/*.csv",
        "*/log.csv",
        "data*/log.csv",
        "data/../data2/*.csv",
        "data/*/../../data2/log.csv",
        "data/*/../*.csv",  # stays inside, but a glob that goes up is not looked at
        "data2/nothing.csv",
        "data2/nothing*.csv",
        "",
    ],
)
def test_what_lies_outside_is_refused_whether_it_is_there_or_not(world, path):
    what, hint = refused(world / path, world / "data")
    assert what == "lies outside of what this worker may read."
    assert hint == f"It may read: {world / 'data'}."


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "/etc/*", "/proc/self/environ"])
def test_what_the_machine_has_elsewhere_is_refused(world, path):
    assert refused(path, world / "data") is not None


def test_a_link_is_followed_only_inside(world):
    data = world / "data"
    (data / "same").symlink_to(data / "day=1")
    (data / "out").symlink_to(world / "data2")
    (data / "file.csv").symlink_to(world / "data2" / "log.csv")
    (data / "loop.csv").symlink_to(data / "loop.csv")
    assert refused(data / "same" / "log.csv", data) is None
    assert refused(data / "out" / "log.csv", data) is not None
    assert refused(data / "out" / ".." / "data2" / "log.csv", data) is not None
    assert refused(data / "file.csv", data) is not None
    assert refused(data / "*.csv", data) is not None
    assert refused(data / "day=1" / "*.csv", data) is None
    assert refused(data / "loop.csv", data) is None  # nothing is there


def test_a_folder_with_a_link_out_of_it_is_refused(world):
    data = world / "data"
    (world / "data2" / "rows.parquet").write_bytes(b"PAR1")
    (data / "day=1" / "rows.parquet").symlink_to(world / "data2" / "rows.parquet")
    assert refused(data, data) is not None


def test_a_root_that_is_a_link_is_the_folder_it_leads_to(world):
    (world / "link").symlink_to(world / "data")
    assert refused(world / "data" / "log.csv", world / "link") is None
    assert refused(world / "link" / "log.csv", world / "link") is None


def test_what_was_found_is_looked_at_again(world):
    roots = roots_of([str(world / "data")])
    check_files([str(world / "data" / "log.csv")], roots)
    with pytest.raises(SourceError, match=r"log\.csv: it leads out"):
        check_files([str(world / "data2" / "log.csv")], roots)


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/days",
        "s3://bucket/days/",
        "s3://bucket/days/x.parquet",
        "s3://bucket/days/*/x.parquet",
        "S3A://bucket/days/{a,b}.parquet",
        "s3n://bucket/days/a..b.parquet",
    ],
)
def test_what_lies_below_an_address_is_read(address):
    assert refused(address, "s3://bucket/days") is None
    assert refused(address, "s3://bucket/days/") is None
    assert refused(address, "s3://bucket") is None


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/days2/x.parquet",
        "s3://bucket/day*/x.parquet",
        "s3://bucket",
        "s3://bucket2/days/x.parquet",
        "s3://*/days/x.parquet",
        "gs://bucket/days/x.parquet",
        "https://bucket/days/x.parquet",
        "s3://bucket/days/../x.parquet",
        "s3://bucket/days/%2e%2e/x.parquet",
        "s3://bucket/days/%252e%252e/x.parquet",
        "s3://bucket/days/{..,a}/x.parquet",
        "s3://bucket/days/..",
        "s3://bucket/days\\..\\x.parquet",
        "s3://bucket%2Fdays/x.parquet",
        "s3://bucket/x/days%2F/x.parquet",
        "s3://bucket/days%2Fx.parquet",
        "s3://me@bucket/days/x.parquet",
        "s3://bucket:80/days/x.parquet",
        "s3:///days/x.parquet",
        "s3://[bucket/days/x.parquet",
        "s3://bucket/days/\u202ex.parquet",
    ],
)
def test_what_lies_beside_an_address_is_refused(address):
    assert refused(address, "s3://bucket/days/") is not None


@pytest.mark.parametrize("address", ["file://{}", "FILE://{}", "delta:file://{}"])
def test_an_address_of_a_file_is_refused_even_inside(world, address):
    what, hint = refused(address.format(world / "data" / "log.csv"), world / "data")
    assert what == "is an address of a file."
    assert "without file://" in hint


def test_tables_whose_log_names_files_need_a_root_of_their_own(world):
    lake = world / "data" / "lake"
    (lake / "_delta_log").mkdir(parents=True)
    for source in (lake, f"delta:{lake}"):
        what, hint = refused(source, world / "data")
        assert what == "lies outside of what this worker may read."
        assert "delta:PLACE" in hint
        assert refused(source, world / "data", f"delta:{world / 'data'}") is None
    assert refused(f"iceberg:{lake}", f"delta:{lake}") is not None
    assert refused(f"delta:{world / 'data2'}", f"delta:{lake}") is not None
    assert refused("delta:s3://bucket/lake", "s3://bucket") is not None
    assert refused("delta:s3://bucket/lake", "delta:s3://bucket") is None
    assert refused("delta:s3://bucket/../lake", "delta:s3://bucket") is not None


def test_tables_outside_are_not_told_from_folders(world):
    (world / "data2" / "_delta_log").mkdir()
    assert refused(world / "data2", world / "data") == refused(world / "data3", world / "data")


def test_tables_of_a_catalogue_are_named():
    def allowed(name, *roots):
        return refused(name, *roots, engine="spark") is None

    assert allowed("main.sales.loans", "table:main.sales")
    assert allowed("main.sales", "table:main.sales")
    assert not allowed("main.sales2.loans", "table:main.sales")
    assert not allowed("loans", "table:main.sales")
    assert not allowed("main.sales.loans")


def test_a_relative_name_is_no_table_of_other_engines(world):
    assert refused("loans", "table:loans", world / "data") is not None


def test_without_a_root_nothing_is_read(world):
    what, hint = refused(world / "data" / "log.csv")
    assert what == "lies outside of what this worker may read."
    assert hint == "It was started without a --root, so that it reads nothing."


@pytest.mark.parametrize("root", ["nowhere", "s3://", "s3://bucket/..", "table:", "", "table:a b"])
def test_a_root_that_is_nothing_is_refused(root):
    with pytest.raises(EvenhandError, match="no folder"):
        roots_of([root])


PLAN = """\
evenhand: 1
log: {{source: {}}}
tables:
  - {{source: {}, key: a}}
catalogue: {}
"""


def test_everything_that_a_plan_reads_is_looked_at(world):
    text = PLAN.format("../data2/log.csv", "/etc/passwd", "s3://bucket/x.parquet")
    found = problems(text, [str(world / "data")], folder=world / "data")
    places = ["audit.yaml:2 log.source", "audit.yaml:4 tables[0].source", "audit.yaml:5 catalogue"]
    assert [one.where for one in found] == places
    assert found[0].what == "'../data2/log.csv' lies outside of what this worker may read."
    text = PLAN.format("log.csv", "day=1/log.csv", "./log.csv")
    assert problems(text, [str(world / "data")], folder=world / "data") == []


@pytest.mark.parametrize("path", ["a\\0b", "a" * 5000])
def test_a_path_that_is_none_is_refused(world, path):
    text = f'evenhand: 1\nlog: {{source: "{path}"}}\n'
    assert len(problems(text, [str(world / "data")], folder=world / "data")) <= 1


def test_variables_are_replaced_only_where_the_worker_tells_them(world, monkeypatch):
    data = world / "data"
    monkeypatch.setenv("EVENHAND_DATA", str(data))
    monkeypatch.setenv("SECRET", "s3cr3t")
    text = "evenhand: 1\nlog: {source: '${EVENHAND_DATA}/log.csv'}\n"
    told = {"variables": {"EVENHAND_DATA"}, "folder": data}
    assert problems(text, [str(data)], **told) == []
    for source in ("${SECRET}/log.csv", "${EVENHAND_DATA}/${SECRET}", "${HOME}/log.csv"):
        text = f"evenhand: 1\nlog: {{source: '{source}'}}\n"
        (found,) = problems(text, [str(data)], **told)
        assert "which this worker does not tell" in found.what
        assert "s3cr3t" not in str(found)
        assert os.environ["HOME"] not in str(found).replace(str(data), "")
    monkeypatch.setenv("EVENHAND_DATA", str(world / "data2"))
    text = "evenhand: 1\nlog: {source: '${EVENHAND_DATA}/log.csv'}\n"
    assert len(problems(text, [str(data)], **told)) == 1


def test_the_file_of_a_plan_is_below_a_root(world):
    roots = roots_of(["s3://bucket", str(world / "data")])
    assert plan_file("audit.yaml", roots) == world / "data" / "audit.yaml"
    assert plan_file(str(world / "data" / "a.yml"), roots) == world / "data" / "a.yml"
    for path in ("../data2/audit.yaml", "/etc/audit.yaml", "log.csv", "s3://bucket/a.yaml", "a\0"):
        with pytest.raises(PlanError):
            plan_file(path, roots)
    with pytest.raises(PlanError):
        plan_file("audit.yaml", roots_of(["s3://bucket"]))


def test_the_paths_of_a_plan_that_was_sent_start_below_a_root(world):
    roots = roots_of([str(world / "data")])
    assert start_folder(None, roots) == world / "data"
    assert start_folder("day=1", roots) == world / "data" / "day=1"
    with pytest.raises(PlanError):
        start_folder("..", roots)
    assert start_folder(None, roots_of(["s3://bucket"])) == Path("/")


def test_a_plan_that_names_a_model_is_no_job(world):
    text = "evenhand: 1\nmodel: {address: 'os:getcwd', inputs: data/log.csv}\n"
    text += "probes: ['attack.auto(eps=0.1)']\n"
    (found,) = problems(text, [str(world / "data")], folder=world / "data")
    assert found.what == "jobs ask no model."
    assert "--to" in found.hint


def test_plans_are_known_by_what_they_ask_whatever_came_after_the_format():
    text = "evenhand: 1\nlog: {source: a.csv}\nmeasures: [selection_rate]\n"
    plan, _ = parse_plan(text + "gate:\n- {id: x, rule: 'selection_rate >= 0.1'}\n")
    # As the release before plans could name models, or rules ask for reliable attacks.
    assert plan.digest == "25c77a335e4a193a0ce00cd954ce2f0d2a4964186f2ed44b90ca90509c2b5cd7"
    assert (
        plan_identity(plan)
        == "sha256:6e0d93d06e8657de1838e1c044307974d2dea5419835e69e75eb58b70e2685dc"
    )


def test_a_plan_of_a_model_is_the_same_plan_for_its_next_version():
    text = "evenhand: 1\nmodel: {address: 'MODULE:net', inputs: a.csv}\nprobes: [PROBE]\n"
    first, second, other = (
        parse_plan(text.replace("MODULE", module).replace("PROBE", probe))[0]
        for module, probe in (("v1", "attack.auto"), ("v2", "attack.auto"), ("v1", "attack.fmn"))
    )
    assert plan_identity(first) == plan_identity(second) != plan_identity(other)
