"""How often each interval covers the truth: ``make coverage`` prints the table of docs/coverage.md.

A cell is a method in a situation whose truth is known (`coverage_cells`). The tests run every cell
of the stated range too, so a method that stops covering turns CI red.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from coverage_cells import areas, calibration, functions, means, proportions
from coverage_cells.cell import REPLICATES, Cell, coverage

PARTS = {
    "Rates and their contrasts": proportions.cells,
    "Means": means.cells,
    "Functions of sums": functions.cells,
    "Areas under curves": areas.cells,
    "Calibration": calibration.cells,
}


def cells() -> list[Cell]:
    """Return every method in every situation."""
    return [cell for part in PARTS.values() for cell in part()]


def row(cell: Cell, share: float, replicates: int) -> str:
    """Return a row of the table."""
    few = f" ({cell.most:,} logs)" if cell.most < replicates else ""
    flag = " outside" if cell.outside else " **out**" if cell.problem(share) else ""
    return f"| {cell.method} | {cell.situation}{few} | {share:.3f}{flag} |"


def _measured(place: int, replicates: int) -> float:
    return coverage(cells()[place], replicates)


def table(replicates: int, workers: int) -> str:
    """Return the coverage tables as Markdown, one for each subject."""
    with ProcessPoolExecutor(workers) as pool:
        shares = pool.map(partial(_measured, replicates=replicates), range(len(cells())))
        lines = []
        for title, part in PARTS.items():
            lines += ["", f"## {title}", "", "| method | situation | coverage |", "|---|---|---|"]
            for cell in part():
                lines.append(row(cell, next(shares), replicates))
                print(lines[-1], flush=True)
    return "\n".join(lines[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Put the tables into this page.")
    options = parser.parse_args()
    text = table(options.replicates, options.workers)
    if options.write:
        page = options.write.read_text()
        head, _, rest = page.partition("<!-- coverage -->")
        _, _, tail = rest.partition("<!-- end -->")
        options.write.write_text(f"{head}<!-- coverage -->\n{text}\n<!-- end -->{tail}")


if __name__ == "__main__":
    main()
