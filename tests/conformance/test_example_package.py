"""The example package: installed beside Evenhand, found, measured, and held against the kit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "evenhand-example-measure"
MAIN = "from evenhand.cli.main import main; main()"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder that the package is installed into, as from a wheel, and nothing else."""
    pytest.importorskip("hatchling")
    target = tmp_path_factory.mktemp("site")
    how = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(target)]
    pip = [sys.executable, "-m", "pip", "install", *how, str(EXAMPLE)]
    subprocess.run(pip, check=True, capture_output=True)  # noqa: S603 - our own folder
    return target


@pytest.fixture(scope="module")
def evenhand(place):
    """The command line, where the package is installed."""

    def call(*words, command=("-c", MAIN), folder=place):
        environment = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, *command, *map(str, words)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Four rows of each group: kappa is 0.5 in one and -0.5 in the other, 1/2 +- 1/4 over 1/2."""
    path = tmp_path_factory.mktemp("log") / "decisions.csv"
    rows = {
        "sex": ["f"] * 40 + ["m"] * 40,
        "repaid": [1, 1, 0, 0] * 20,
        "approved": [1, 0, 0, 0] * 10 + [0, 0, 1, 0] * 10,
    }
    pl.DataFrame(rows).write_csv(path)
    return path


def test_doctor_and_measures_find_it(evenhand):
    assert "evenhand-example-measure 0.1.0: cohens_kappa" in evenhand("doctor")
    entry = json.loads(evenhand("measures", "cohens_kappa", "--json"))
    assert entry["package"] == "evenhand-example-measure 0.1.0"
    assert entry["cites"] == "Cohen 1960"


def test_its_figure_has_notation_interval_and_groups(evenhand, log):
    roles = ["--label", "repaid", "--prediction", "approved", "--json"]
    notations = ["cohens_kappa", "difference(cohens_kappa, by=sex)", "pairs(cohens_kappa, by=sex)"]
    found = json.loads(evenhand("measure", *notations, log, *roles))["findings"]
    assert [finding["key"] for finding in found] == notations
    for finding in found:
        assert finding["low"] < finding["value"] < finding["high"]
    values = {group["group"]["sex"]: group["value"] for group in found[1]["groups"]}
    assert values == pytest.approx({"f": 0.5, "m": -0.5})
    assert found[1]["value"] == pytest.approx(1.0)


def test_it_is_audited_and_reported_as_ours_are(evenhand, log, tmp_path):
    plan = f"""
    evenhand: 1
    subject: {{product: lending, model: credit, version: v1}}
    log: {{source: {log}, kind: decisions}}
    roles: {{label: repaid, prediction: approved}}
    groups: {{sex: sex}}
    measures: ["difference(cohens_kappa, by=sex)"]
    """
    (tmp_path / "audit.yaml").write_text(plan)
    out = tmp_path / "x.evidence.zip"
    told = json.loads(evenhand("audit", tmp_path / "audit.yaml", "--out", out, "--json"))
    assert told["findings"][0]["value"] == pytest.approx(1.0)


def test_its_own_test_with_the_kit_passes(evenhand, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "-c", tmp_path / "pytest.ini", "-p", "no:cacheprovider"]
    said = evenhand(*options, EXAMPLE, command=("-m", "pytest"))
    assert "1 passed" in said
