"""Give the two tables of TREC 2020's authors names of their own, for examples/trec2020.yaml.

EVENHAND_DATA=/path/to/data python examples/trec_tables.py FOLDER

Both name their column author_groups, and columns of side tables keep their names. A document has
one entry for each author whose group is known: with three authors of advanced economies and one of
a developing one it belongs to them by 3/4 and 1/4.
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

import os
import sys
from pathlib import Path

import polars as pl


def write(data: Path, folder: Path) -> None:
    """Write the tables of economies and of h-indices into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, column in (("levels", "economy"), ("hindex", "h_index")):
        table = pl.read_parquet(data / f"trec_fair2020_doc_{source}.parquet")
        table.rename({"author_groups": column}).write_parquet(folder / f"trec_{column}.parquet")


if __name__ == "__main__":
    write(Path(os.environ["EVENHAND_DATA"]), Path(sys.argv[1]))
