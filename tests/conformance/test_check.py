"""Every check of the kit can fail: a measure that breaks one promise is told which."""

from __future__ import annotations

import dataclasses

import narwhals as nw
import pytest

from evenhand.conformance import ConformanceError, check_measure, violations
from evenhand.conformance.check import FIGURES, STATES
from evenhand.conformance.figured import empty_problems, interval_problems, missing_problems
from evenhand.conformance.state import merge_problems, term_problems
from evenhand.conformance.subject import Subject
from evenhand.measures import Sums, measure
from evenhand.measures.measure import OneClass
from evenhand.measures.registry import also
from evenhand.notation import Term
from evenhand.stats.estimate import Estimate, Undefined

BOTH = ("label", "prediction")
FACTS = {"needs": BOTH, "better": "higher", "tags": ("fairness",), "cites": "Nobody 2026"}


def agreed(rows):
    """The share of rows whose decision is right."""
    total = sum(row.weight for row in rows)
    right = sum(row.weight for row in rows if row.label == row.prediction)
    return right / total if total else None


class Agreement(OneClass, Sums):
    """Right decisions among all, the body of every measure below."""

    def terms(self, log):
        return {"rows": 1, "correct": log.label == log.prediction}

    def finalise(self, s):
        return s.share("correct", among="rows", empty="no rows with a prediction")


GOOD = """Share of right decisions; in [0, 1].

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({{"y": [1, 0], "decided": [1, 1]}})
    >>> log = eh.log(rows, kind="decisions", label="y", prediction="decided")
    >>> eh.estimate("{name}", log).value
    0.5
    """


def declared(base=Agreement, *, doc=GOOD, name="agreement", **facts):
    """A measure with this body, these facts and this docstring."""
    cls = type("Declared", (base,), {"__doc__": doc.format(name=name), "__annotations__": {}})
    return measure(**{**FACTS, "name": name, **facts})(cls)


def promises(cls, reference=agreed, **how):
    """The promises that are broken, without the name of the measure."""
    found = violations(cls, reference=reference, **how)
    return [problem.where.rpartition(", ")[2] for problem in found]


def broken(base, reference=agreed, **facts):
    """The promises that the figures of a measure with another body break."""
    return promises(declared(base, **facts), reference, states=())


@pytest.mark.slow
def test_a_measure_that_keeps_all_promises_has_no_violation():
    check_measure(declared(), reference=agreed, trials=len)


@pytest.mark.slow
def test_all_violations_are_told_at_once():
    with pytest.raises(ConformanceError) as caught:
        check_measure(
            declared(cites="", tags=("beauty",), doc="Right.\n"), reference=lambda _: 0.25
        )
    told = [problem.where.rpartition(", ")[2] for problem in caught.value.problems]
    assert {"cites", "tags", "summary", "example", "with weights", "without weights"} <= {*told}


# What it says of itself.


def test_a_class_that_is_not_declared_is_told():
    assert promises(Agreement) == ["form"]


def test_a_class_without_figure_is_told():
    class Bare(Sums):
        def terms(self, log):  # noqa: ARG002 - every row
            return {"rows": 1}

    assert promises(declared(Bare)) == ["form"]


@pytest.mark.parametrize(
    "facts",
    [
        {"needs": ()},
        {"needs": "label"},
        {"needs": ("label", "colour")},
        {"tags": ()},
        {"better": "bigger"},
        {"reads": "letters"},
        {"name": "right or wrong"},
        {"name": "lambda"},
    ],
)
def test_facts_that_no_log_can_meet_are_told(facts):
    assert {*promises(declared(**facts))} == {"form"}


def test_parameters_that_it_refuses_are_told():
    class Picky(Agreement):
        def problem(self):
            return "never."

    assert promises(declared(Picky)()) == ["form"]


def test_a_parameter_without_default_needs_a_value_to_check():
    @dataclasses.dataclass(frozen=True)
    class Asking(Sums):
        threshold: float

        terms, finalise = Agreement.terms, Agreement.finalise

    assert promises(declared(Asking)) == ["form"]


@pytest.mark.parametrize("name", ["accuracy", "difference", "disparate_impact", "bounds"])
def test_a_name_that_is_taken_is_told(name):
    assert promises(declared(name=name)) == ["name"]


def test_a_source_that_is_missing_is_told():
    assert promises(declared(cites=""), figures=(), states=()) == ["cites"]


def test_a_pillar_that_is_none_is_told():
    assert promises(declared(tags=("beauty",)), figures=(), states=()) == ["tags"]


def test_a_summary_without_range_is_told():
    doc = GOOD.replace("; in [0, 1].", ".")
    assert promises(declared(doc=doc), figures=(), states=()) == ["summary"]


def test_a_range_upside_down_is_told():
    doc = GOOD.replace("[0, 1]", "[1, 0]")
    assert promises(declared(doc=doc), figures=(), states=()) == ["summary"]


def test_a_missing_docstring_is_told():
    assert promises(declared(doc=""), figures=(), states=()) == ["summary", "example"]


def test_a_docstring_without_example_is_told():
    doc = "Share of right decisions; in [0, 1]."
    assert promises(declared(doc=doc), figures=(), states=()) == ["example"]


def test_an_example_that_fails_is_told_with_what_it_printed():
    doc = GOOD.replace("    0.5\n", "    0.75\n")
    (problem,) = violations(declared(doc=doc), reference=agreed, figures=(), states=())
    assert "0.75" in problem.hint
    assert "0.5" in problem.hint


# Its notation.


def test_a_notation_that_writes_another_name_is_told():
    class Elsewhere(Agreement):
        def term(self):
            return Term("accuracy")

    assert promises(declared(Elsewhere)) == ["notation"]


def test_a_notation_that_cannot_be_read_is_told():
    class Cut(Agreement):
        def term(self):
            return Term("agreement", cutoff=3)

    assert promises(declared(Cut)) == ["notation"]


def test_a_notation_that_drops_a_parameter_is_told():
    class Forgetful(Agreement):
        def term(self):
            return Term("agreement")

    assert promises(declared(Forgetful)(positive=1)) == ["notation"]


def test_a_parameter_that_cannot_be_hashed_is_told():
    assert promises(declared()(positive=[1])) == ["notation"]


# Its figures.


def test_a_wrong_value_is_told_with_both_figures():
    class Wrong(Agreement):
        def terms(self, log):
            return {"rows": 1, "true_positives": (log.label == 1) & (log.prediction == 1)}

        def finalise(self, s):
            return s.share("true_positives", among="rows", empty="no rows")

    assert {*broken(Wrong)} == {"with weights", "without weights"}


def test_weights_that_are_passed_over_are_told():
    class Unweighed(Agreement):
        def finalise(self, s):
            bare = dataclasses.replace(s, weights=s.rows, square_weights=s.rows, weighted=False)
            return super().finalise(bare)

    found = broken(Unweighed)
    assert "with weights" in found
    assert "without weights" not in found


def test_a_wrong_number_of_trials_is_told():
    found = violations(declared(), reference=agreed, trials=lambda rows: len(rows) - 1, states=())
    assert {problem.where.rpartition(", ")[2] for problem in found} == {
        "with weights",
        "without weights",
    }
    assert all("trials" in problem.what for problem in found)


def test_a_figure_that_the_reference_has_not_is_told():
    assert {*promises(declared(), lambda _: None, states=())} == {"with weights", "without weights"}


def test_a_value_outside_the_range_of_the_docstring_is_told():
    doc = GOOD.replace("[0, 1]", "[0.9, 1]")
    assert promises(declared(doc=doc), states=()) == ["range"]


class Mean(OneClass, Sums):
    """Right decisions among all, as a mean of numbers."""

    def terms(self, log):  # noqa: ARG002 - every row
        return {"rows": 1}

    def amounts(self, log):
        return {"agreement as a number": (log.label == log.prediction).cast(nw.Float64)}

    def finalise(self, s):
        return s.mean("agreement as a number", among="rows", empty="no rows", within=(0.0, 1.0))


def told_of(check, outcome):
    """What a check says of a finding with other figures, which sound sums cannot have."""

    class Doctored(Subject):
        def difference(self, log):
            found = super().difference(log)
            groups = tuple(dataclasses.replace(group, outcome=outcome) for group in found.groups)
            return dataclasses.replace(found, groups=groups)

    cls = declared()
    with also(cls):
        return [str(problem) for problem in check(Doctored(cls(), "decisions", agreed))]


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(0.5, 0.6, 0.7, 0.95, "Wilson"), "outside"),
        (Estimate(0.5, float("nan"), 0.7, 0.95, "Wilson"), "no interval"),
        (Estimate(0.5, 0.5, 0.5, 0.95, "Wilson"), "width 0"),
        (Estimate(0.5, 0.4, 0.6, 0.95, ""), "does not name the method"),
        (Undefined("nobody knows"), "nobody knows"),
    ],
)
def test_an_interval_that_is_none_is_told(estimate, said):
    (problem,) = told_of(interval_problems, estimate)
    assert said in problem


def test_a_difference_over_groups_without_interval_is_told():
    class Lone(Mean):
        def finalise(self, s):
            figure = super().finalise(s)
            alone = ["only group a counts" for _ in figure.undefined()]
            alone[0] = None
            lone = type("Lone", (type(figure),), {"undefined": lambda _: alone})
            return lone(**{f.name: getattr(figure, f.name) for f in dataclasses.fields(figure)})

    assert "interval" in broken(Lone)


def test_a_figure_of_nothing_is_told():
    (problem,) = told_of(empty_problems, Estimate(0.5, 0.4, 0.6, 0.95, "Wilson"))
    assert "weight 0 has the figure 0.5" in problem


def test_missing_labels_without_their_number_are_told():
    (problem,) = told_of(missing_problems, Undefined("some labels are missing"))
    assert "does not say how many" in problem


def test_bounds_of_what_is_missing_are_no_violation():
    estimate = Estimate(0.5, 0.3, 0.7, 0.95, "bounds", (0.4, 0.6))
    assert told_of(missing_problems, estimate) == []


def test_a_figure_undefined_without_a_reason_is_told():
    class Silent(Mean):
        def finalise(self, s):
            figure = super().finalise(s)
            silent = [reason and " " for reason in figure.undefined()]
            mute = type("Mute", (type(figure),), {"undefined": lambda _: silent})
            return mute(**{f.name: getattr(figure, f.name) for f in dataclasses.fields(figure)})

    assert "empty group" in broken(Silent)


def test_missing_labels_that_are_passed_over_are_told():
    class Careless(Agreement):
        tolerates = ("label",)

    assert broken(Careless) == ["missing labels"]


def test_a_finding_that_cannot_be_kept_is_told():
    class Odd(Agreement):
        def finalise(self, s):
            figure = super().finalise(s)
            noted = type("Noted", (type(figure),), {"notes": lambda _: {"factor": float("nan")}})
            return noted(**{f.name: getattr(figure, f.name) for f in dataclasses.fields(figure)})

    assert "evidence" in broken(Odd)


@pytest.mark.parametrize(("better", "told"), [("lower", ["better"]), ("higher", []), (None, [])])
def test_a_direction_that_is_turned_over_is_told(better, told):
    assert promises(declared(better=better), states=()) == told


def test_where_the_prediction_is_an_attack_no_direction_is_wrong():
    assert promises(declared(better="lower", tags=("privacy",)), states=()) == []


def test_a_class_that_is_taken_by_its_place_is_told():
    """Without OneClass, 1 is the second of the classes, whichever that is."""

    class Second(Sums):
        def terms(self, log):
            return {"rows": 1, "selected": log.prediction == 1}

        def finalise(self, s):
            return s.share("selected", among="rows", empty="no rows")

    doc = GOOD.replace("0.5", "1.0")

    def selected(rows):
        total = sum(row.weight for row in rows)
        return sum(row.weight * row.prediction for row in rows) / total if total else None

    assert broken(Second, selected, doc=doc, needs=("prediction",), better=None) == ["classes"]


# Its states.


class Relative(Mean):
    """A number that depends on the other rows of the log."""

    def amounts(self, log):
        right = (log.label == log.prediction).cast(nw.Float64)
        return {"agreement beside the mean": right - right.mean()}

    def finalise(self, s):
        return s.mean("agreement beside the mean", among="rows", empty="no rows")


def test_amounts_that_depend_on_other_rows_do_not_merge():
    assert promises(declared(Relative), figures=(), states=(merge_problems,))[-1] == "merge"


def test_a_term_that_depends_on_other_rows_does_not_merge():
    class Largest(Agreement):
        def terms(self, log):
            return {"rows": 1, "the largest": log.prediction == log.prediction.max()}

        def finalise(self, s):
            return s.share("the largest", among="rows", empty="no rows")

    assert promises(declared(Largest), figures=(), states=(merge_problems,))[-1] == "merge"


def test_a_term_with_the_name_of_another_is_told_with_the_measure():
    class Clash(Agreement):
        def terms(self, log):
            return {"rows": 1, "correct": log.prediction == log.label}

    cls = declared(Clash)
    (problem,) = violations(cls, reference=agreed, figures=(), states=(term_problems,))
    assert problem.where == "'agreement', terms"
    assert "accuracy" in problem.what


@pytest.mark.slow
@pytest.mark.parametrize("where", ["the general path", "duckdb"])
def test_states_that_another_way_of_counting_changes_are_told(monkeypatch, where):
    if where == "duckdb":
        pytest.importorskip("duckdb")
    from evenhand.conformance import state

    real = state.state_of

    def shifted(every, log, *, dense=True):
        found = real(every, log, dense=dense)
        other = not dense if where == "the general path" else log.source.engine == "duckdb"
        return found.merge(found) if other else found

    monkeypatch.setattr(state, "state_of", shifted)
    found = promises(declared(), figures=())
    assert found == [where]


# What its code does.


def test_terms_that_raise_are_a_violation_told_once():
    class Raising(Agreement):
        def terms(self, log):
            return {"rows": 1, "coloured": log.colour == 1}

    found = violations(declared(Raising), reference=agreed)
    assert sum("role 'colour' is not among needs" in problem.what for problem in found) == 1


def test_a_reference_that_raises_is_a_violation():
    def careless(rows):
        return rows[0].colour

    found = violations(declared(), reference=careless, states=())
    assert [problem.where for problem in found] == ["'agreement', reference"]


def test_every_check_of_the_kit_is_among_those_shown_here():
    names = [check.__name__.removesuffix("_problems") for check in (*FIGURES, *STATES)]
    assert names == [
        *("reference", "range", "interval", "empty", "missing", "kept", "direction", "class"),
        *("term", "merge", "path", "engine"),
    ]
