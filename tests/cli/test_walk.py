"""The newcomer's walk: from a file with odd names to a red gate, in four commands."""

from __future__ import annotations

import re
import shlex
import sys

import numpy as np
import polars as pl
import pytest

from evenhand.cli.main import main


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(line):
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out + said.err

    return call


@pytest.fixture
def file(tmp_path):
    """Loans of a German bank, granted to women far less often."""
    rng, n = np.random.default_rng(3), 3000
    sex = rng.choice(["weiblich", "männlich"], n)
    granted = rng.random(n) < np.where(sex == "weiblich", 0.35, 0.55)
    rows = pl.DataFrame(
        {
            "Kunden-Nr. ": np.arange(n) // 2,
            "Geschlecht ": sex,
            "Alter (Jahre)": rng.integers(18, 80, n),
            "Q3: Bewilligt?": np.where(granted, "Ja", "Nein"),
            "Spalte_7": rng.choice(["J", "N"], n),
            "Betrag in €": rng.integers(100, 9000, n),
        }
    )
    rows.write_csv(tmp_path / "kredit 2026.csv")


@pytest.mark.slow
@pytest.mark.usefixtures("file")
def test_four_commands_lead_from_a_file_to_a_red_gate(run, tmp_path):
    code, said = run("evenhand init 'kredit 2026.csv'")
    assert code == 0, said
    (following,) = re.findall(r"^  (evenhand check .*)$", said, re.MULTILINE)
    code, said = run(following)
    assert code == 0, said
    code, said = run("evenhand audit audit.yaml --out x.evidence.zip --html x.html")
    assert code == 0, said
    assert (tmp_path / "x.html").stat().st_size < 2e6
    code, said = run("evenhand gate x.evidence.zip")
    assert code == 1, said
    assert "fail" in said
    assert "männlich" in said
