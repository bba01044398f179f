"""Write `docs/parity.md`, our figures beside those of other tools: ``make parity``.

Each tool runs in an environment of its own, made on the first run; it reads the rows from its
input and never sees Evenhand. A figure that is neither equal nor known to be defined otherwise
makes the script fail and is named.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from peers.cases import Case, cases
from peers.comparison import DIFFERENCES, Limit, Row

import evenhand as eh
from evenhand.audits import Finding
from evenhand.errors import EvenhandError
from evenhand.stats.estimate import Undefined

HERE = Path(__file__).parent
TOLERANCE = 1e-9


PINNED = {
    "common": ("fairlearn==0.15.0", "scikit-learn==1.9.1", "statsmodels==0.15.0"),
    "aif360": ("aif360==0.6.1", "scikit-learn==1.5.2"),  # it needs scikit-learn < 1.6
    "aequitas": ("aequitas==1.1.0", "pandas==2.3.3"),  # it needs pandas < 3
}
"""What is installed in the environments of the peers."""


@dataclass(frozen=True)
class Peer:
    """Another tool: its package, the environment it lives in, and the script that asks it."""

    name: str
    package: str
    environment: str
    script: str
    home: str

    @property
    def version(self) -> str:
        """The version that is compared."""
        return dict(pin.split("==") for pin in PINNED[self.environment])[self.package]


PEERS = (
    Peer("Fairlearn", "fairlearn", "common", "ask_fairlearn.py", "https://fairlearn.org"),
    Peer("AIF360", "aif360", "aif360", "ask_aif360.py", "https://aif360.readthedocs.io"),
    Peer("Aequitas", "aequitas", "aequitas", "ask_aequitas.py", "https://dssg.github.io/aequitas"),
    Peer("scikit-learn", "scikit-learn", "common", "ask_sklearn.py", "https://scikit-learn.org"),
    Peer(
        "statsmodels", "statsmodels", "common", "ask_statsmodels.py", "https://www.statsmodels.org"
    ),
)

# --- our figures --------------------------------------------------------------------------------


class NotYetError(Exception):
    """Evenhand does not know the notation or the role that it needs."""


@dataclass
class Ours:
    """Our figures of one case, from the public functions."""

    case: Case
    found: dict[str, list[Finding]] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The group that peers call privileged."""
        return self.case.reference

    @cached_property
    def _log(self) -> object:
        given = {"label", "prediction", "score"} & {*self.case.table.columns}
        more = {"classes": self.case.classes} if self.case.classes else {}
        return eh.log(
            self.case.table,
            kind=self.case.kind,
            groups=[self.case.by],
            **{role: role for role in given},
            **more,
        )

    def findings(self, notation: str) -> list[Finding]:
        """Return what we say to a notation.

        Raises:
            NotYetError: We do not know it.

        """
        if notation not in self.found:
            try:
                self.found[notation] = eh.estimates([notation], self._log)
            except EvenhandError as error:
                raise NotYetError(str(error).partition("\n")[0]) from error
        return self.found[notation]

    def number(self, row: Row) -> float | None:
        """Return our number of a row; None where it is undefined."""
        if row.group:
            outcome = self._outcomes(row.notation)[row.group]
            return None if isinstance(outcome, Undefined) else getattr(outcome, row.limit)
        found = self.findings(row.notation)
        numbers = [_number(finding, row.limit) for finding in found]
        if len(numbers) == 1:
            return numbers[0]
        return max(abs(number) for number in numbers if number is not None)

    def rate(self, measure: str, group: str) -> float | None:
        """Return the measure in one group."""
        return self.number(Row(measure, "", "", group))

    def rates(self, measure: str) -> list[float | None]:
        """Return the measure in every group."""
        return [self.rate(measure, group) for group in self._outcomes(measure)]

    def rest(self, measure: str) -> float:
        """Return the measure in all groups but the reference, taken as one group."""
        rows = {name: n for name, n in self.trials(measure).items() if name != self.reference}
        hits = sum(rows[name] * (self.rate(measure, name) or 0.0) for name in rows)
        return hits / sum(rows.values())

    def trials(self, measure: str) -> dict[str, int]:
        """Return the rows that the measure divides by, for every group."""
        return {part.group[self.case.by]: part.rows for part in self._parts(measure)}

    def _parts(self, measure: str) -> tuple:
        return self.findings(f"difference({measure}, by={self.case.by})")[0].groups

    def _outcomes(self, measure: str) -> dict:
        return {part.group[self.case.by]: part.outcome for part in self._parts(measure)}


def _number(finding: Finding, limit: Limit) -> float | None:
    return None if finding.undefined else getattr(finding, limit)


# --- their figures ------------------------------------------------------------------------------


def environment(name: str, folder: Path) -> Path:
    """Return the Python of a peer's environment, which is made where it is missing or stale."""
    home, wanted = folder / name, "\n".join(PINNED[name])
    python, stamp = home / "bin" / "python", home / "requirements.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        _say(f"making the environment of {name}: {', '.join(PINNED[name])}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        venv.create(home, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *PINNED[name]], check=True)  # noqa: S603  the pinned peers
        stamp.write_text(wanted, encoding="utf-8")
    return python


def ask(peer: Peer, asked: Iterable[Case], folder: Path) -> dict[str, dict[str, float]]:
    """Return the peer's figures by case, and in each by function and group."""
    question = {case.title: _question(case, peer) for case in asked}
    answered = subprocess.run(  # noqa: S603  our own script
        [environment(peer.environment, folder), HERE / "peers" / peer.script],
        input=json.dumps({title: part for title, part in question.items() if part["wanted"]}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(answered.stdout)


def _question(case: Case, peer: Peer) -> dict[str, object]:
    columns = case.table.rename({case.by: "group"}).to_dict(as_series=False)
    wanted = {(row.function, row.asked): None for row in case.compared if row.peer == peer.name}
    return {"columns": columns, "reference": case.reference, "wanted": [*wanted]}


# --- the page -----------------------------------------------------------------------------------


@dataclass
class Page:
    """The lines of the page, and what went wrong on the way."""

    lines: list[str]
    unexplained: list[str] = field(default_factory=list)
    not_yet: list[str] = field(default_factory=list)
    equal: int = 0
    explained: int = 0

    def add(self, case: Case, theirs: dict[str, dict[str, dict[str, float]]]) -> None:
        """Add a section; nothing where we know none of its figures."""
        ours, shown = Ours(case), []
        for row in case.compared:
            key = f"{row.function}, {row.asked}" if row.asked else row.function
            try:
                shown.append(self._line(row, ours, theirs[row.peer][case.title][key]))
            except NotYetError as error:
                self.not_yet.append(f"{case.title}: {row.notation}: {error}")
        if shown:
            head = "| ours | theirs | our value | their value | difference | verdict |"
            self.lines += ["", f"## {case.title}", "", f"{case.about} {case.table.height:,} rows."]
            self.lines += ["", head, "|---|---|---:|---:|---:|---|", *shown]

    def _line(self, row: Row, ours: Ours, their: float) -> str:
        our = ours.number(row)
        verdict = self._verdict(row, ours, our, their)
        which = [row.group, {"low": "lower limit", "high": "upper limit"}.get(row.limit, "")]
        if row.notation.startswith("to_overall"):
            which.append("largest")
        notation = ", ".join([f"`{row.notation}`", *filter(None, which)])
        function = ", ".join([f"{row.peer} `{row.function}`", *filter(None, [row.asked])])
        gap = math.nan if our is None else abs(our - their)
        cells = [notation, function, _shown(our), _shown(their), _shown_gap(gap), verdict]
        return f"| {' | '.join(cells)} |"

    def _verdict(self, row: Row, ours: Ours, our: float | None, their: float) -> str:
        if our is None and math.isnan(their):
            self.equal += 1
            return "undefined for both"
        if our is not None and _same(our, their):
            self.equal += 1
            return "equal to 1e-9"
        known = DIFFERENCES.get((row.peer, row.function))
        if known and _same(known.convert(ours, row.asked), their):
            self.explained += 1
            return f"{known.reason}; from our figures: equal to 1e-9"
        self.unexplained.append(
            f"{ours.case.title}: {row.notation} {row.group} {row.limit}: ours {our}, "
            f"{row.peer} {row.function} {row.asked}: {their}"
        )
        return "**unexplained**"


def _same(our: float, their: float) -> bool:
    return our == their or abs(our - their) <= TOLERANCE


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6f}"


def _shown_gap(gap: float) -> str:
    if not math.isfinite(gap):
        return "-"
    return "0" if gap <= TOLERANCE else f"{gap:.6f}"


def _opening() -> Iterator[str]:
    yield from ("# Parity", "", "Written by `make parity` from `docs/parity.py`.", "")
    yield "Our figures beside those of other tools, on the same rows of real data. Where a tool"
    yield "defines a figure otherwise, the verdict says how, and its number is computed from our"
    yield "figures and compared too. `pairs` is signed; `difference` and `ratio` are not."
    yield from ("", "| tool | version |", "|---|---|")
    for peer in PEERS:
        yield f"| [{peer.name}]({peer.home}) | {peer.version} |"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Ask everybody, write the page, and say what does not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, default=HERE.parent / ".venv-peers")
    parser.add_argument("--write", type=Path, default=HERE / "parity.md")
    parser.add_argument("--strict", action="store_true", help="fail on a notation not yet known")
    given = parser.parse_args()
    compared = cases()
    theirs = {peer.name: ask(peer, compared, given.environments) for peer in PEERS}
    page = Page([*_opening()])
    for case in compared:
        page.add(case, theirs)
    given.write.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    for heading, lines in (("not yet", page.not_yet), ("UNEXPLAINED", page.unexplained)):
        for line in lines:
            _say(f"{heading}  {line}")
    _say(
        f"{page.equal} equal, {page.explained} defined otherwise, "
        f"{len(page.unexplained)} unexplained, {len(page.not_yet)} not yet"
    )
    return int(bool(page.unexplained or (given.strict and page.not_yet)))


if __name__ == "__main__":
    raise SystemExit(main())
