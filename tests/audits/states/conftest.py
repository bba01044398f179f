"""Ten days of a log and the states of each."""

from __future__ import annotations

import pytest

import evenhand as eh
from daily import DAYS, plan_of, rows_of


@pytest.fixture(scope="session")
def days(tmp_path_factory):
    """A folder with ten days of a log and the states of each."""
    folder = tmp_path_factory.mktemp("days")
    for day in range(DAYS):
        (folder / f"day={day}").mkdir()
        rows_of(day).write_parquet(folder / f"day={day}" / "part.parquet")
        plan = plan_of(folder / f"day={day}" / "*.parquet")
        eh.audit(plan, states=folder / f"{day}.states")
    return folder
