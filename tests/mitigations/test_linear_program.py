import numpy as np
import pytest

from evenhand.errors import RoleError
from evenhand.mitigations.candidates import NOBODY, Candidates, candidates_of
from evenhand.mitigations.certificate import discounts
from evenhand.mitigations.linear_program import FairnessOfExposure
from naive_exposure import best_mixture, mean_exposure, worth

APPLICANTS = ([0.82, 0.81, 0.80, 0.79, 0.78, 0.77], ["m", "m", "m", "f", "f", "f"])


def naively(result, row, scores, groups):
    """Return expected utility and mean expected exposure by group, from the mixture alone."""
    mixture = result.mixtures[row]
    listed = [[one for one in order if one != NOBODY] for order in mixture.orders.tolist()]
    utility = sum(w * worth(scores, o) for w, o in zip(mixture.weights, listed, strict=True))
    exposure = {
        name: sum(
            w * mean_exposure(groups, o, name) for w, o in zip(mixture.weights, listed, strict=True)
        )
        for name in {*groups} - {None}
    }
    return utility, exposure


def test_six_applicants_before():
    # Singh and Joachims 2018: men .71, women .39 by score, which is 1.7483 for each unit of merit.
    exposure = discounts(6)
    men, women = exposure[:3].mean(), exposure[3:].mean()
    assert (round(men, 4), round(women, 4)) == (0.7103, 0.3912)
    assert round((men / 0.81) / (women / 0.78), 4) == 1.7483
    untouched = FairnessOfExposure(tolerance=1).rerank(
        candidates_of([APPLICANTS[0]], [APPLICANTS[1]]), 6
    )
    assert untouched.exposure[0] == pytest.approx([women, men])


def test_six_applicants_after():
    asked = candidates_of([APPLICANTS[0]], [APPLICANTS[1]])
    parity = FairnessOfExposure("parity").rerank(asked, 6)
    everybody = discounts(6).mean()
    assert parity.exposure[0] == pytest.approx([everybody, everybody], abs=1e-9)
    treatment = FairnessOfExposure("treatment").rerank(asked, 6)
    women, men = treatment.exposure[0]
    assert men / 0.81 == pytest.approx(women / 0.78, abs=1e-9)
    assert treatment.certificate.kept.all()
    assert 0 < treatment.certificate.lost[0] < 0.02


@pytest.mark.parametrize("notion", ["parity", "treatment"])
@pytest.mark.parametrize("seed", range(25))
def test_is_the_best_of_all_mixtures_of_rankings(seed, notion):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    k = int(rng.integers(1, n + 1))
    scores = (rng.integers(1, 9, n) / 8).tolist()
    groups = [["a", "b", "c", None][place] for place in rng.integers(0, 4, n)]
    tolerance = float(rng.choice([0, 0.1, 0.5]))
    merit = notion == "treatment"
    expected = best_mixture(scores, groups, k, tolerance, merit=merit)
    result = FairnessOfExposure(notion, tolerance).rerank(
        candidates_of([scores], [groups], "abc"), k
    )
    utility, exposure = naively(result, 0, scores, groups)
    assert result.certificate.utility[0] == pytest.approx(utility, abs=1e-12)
    for place, name in enumerate("abc"):
        if name in exposure:
            assert result.exposure[0, place] == pytest.approx(exposure[name], abs=1e-12)
        else:
            assert np.isnan(result.exposure[0, place])
    level = {
        name: value / np.mean([s for s, g in zip(scores, groups, strict=True) if g == name])
        if merit
        else value
        for name, value in exposure.items()
    }
    if expected is None:
        assert "possible" in result.certificate.reasons[0]
        assert not result.certificate.kept[0]
        attainable = min(level.values()) / max(level.values())
        # What it gave instead is as alike as can be: a bit more has no mixture, a bit less has.
        more, less = 1 - attainable - 1e-4, 1 - attainable + 1e-4
        assert best_mixture(scores, groups, k, more, merit=merit) is None
        assert best_mixture(scores, groups, k, less, merit=merit) is not None
    else:
        assert result.certificate.reasons == {}
        assert result.certificate.kept[0]
        assert utility == pytest.approx(expected, abs=1e-8)
        if level:
            assert min(level.values()) >= (1 - tolerance) * max(level.values()) - 1e-8


def test_draws_come_as_often_as_their_weights():
    # Four standard errors of 100 fair draws: a false alarm once in 16,000.
    asked = candidates_of([[0.9, 0.1]] * 100, [["a", "b"]] * 100)
    result = FairnessOfExposure(seed=3).rerank(asked, 2, keys=range(100))
    assert result.mixtures[0].weights == pytest.approx([0.5, 0.5])
    first = (result.order[:, 0] == 0).mean()
    assert abs(first - 0.5) < 4 * 0.5 / np.sqrt(100)


def test_without_keys_requests_that_are_alike_get_the_same_order():
    asked = candidates_of([[0.9, 0.1]] * 20, [["a", "b"]] * 20)
    assert len(np.unique(FairnessOfExposure().rerank(asked, 2).order, axis=0)) == 1


def test_a_request_is_the_same_alone_and_among_others():
    rng = np.random.default_rng(5)
    scores = [rng.random(n).tolist() for n in (3, 9, 6)]
    groups = [rng.choice(["a", "b"], len(one)).tolist() for one in scores]
    method = FairnessOfExposure(seed=1)
    together = method.rerank(candidates_of(scores, groups, "ab"), 5)
    for row in range(3):
        alone = method.rerank(candidates_of([scores[row]], [groups[row]], "ab"), 5)
        assert alone.order[0].tolist() == together.order[row].tolist()
        assert alone.certificate.utility[0] == together.certificate.utility[row]


@pytest.mark.parametrize(("notion", "scale", "shift"), [
    ("parity", 1e7, -3e7), ("parity", 1e-9, 0), ("treatment", 1e7, 0), ("treatment", 1e-9, 0),
])  # fmt: skip
def test_units_of_scores_do_not_matter(notion, scale, shift):
    rng = np.random.default_rng(11)
    scores = rng.random(5)
    groups = ["a", "b", "a", "b", "b"]
    moved = (scale * scores + shift).tolist()
    result = FairnessOfExposure(notion).rerank(candidates_of([moved], [groups]), 4)
    plain = FairnessOfExposure(notion).rerank(candidates_of([scores.tolist()], [groups]), 4)
    assert result.certificate.kept[0]
    assert result.exposure == pytest.approx(plain.exposure, rel=1e-9)
    assert result.certificate.lost == pytest.approx(scale * plain.certificate.lost, rel=1e-6)


def test_first_slots_carry_most_exposure():
    # R&E's singh_joachims divides by the discount, so that the last slot weighs most.
    asked = candidates_of([[0.9, 0.1]], [["a", "b"]])
    low, high = FairnessOfExposure(tolerance=1).rerank(asked, 2).exposure[0][::-1]
    assert (high, low) == (1.0, 1 / np.log2(3))


def test_attention_may_be_another_than_the_discount():
    asked = candidates_of([[0.9, 0.5, 0.1]], [["a", "b", "b"]])
    result = FairnessOfExposure(attention=(1.0, 0.0, 0.0)).rerank(asked, 3)
    # Only the first slot counts: each candidate is there a third of the time.
    assert result.exposure[0] == pytest.approx([1 / 3, 1 / 3])


def test_groups_without_candidates_take_no_part():
    asked = candidates_of([[0.9, 0.5], []], [["a", None], []], ["a", "b"])
    result = FairnessOfExposure().rerank(asked, 3)
    assert result.order.tolist() == [[0, 1, NOBODY], [NOBODY] * 3]
    assert result.certificate.kept.all()
    assert np.isnan(result.exposure[0, 1])


def test_a_group_without_merit_is_named():
    asked = candidates_of([[-1, -2, -3]], [["a", "a", "b"]])
    result = FairnessOfExposure("treatment").rerank(asked, 3)
    assert result.order.tolist() == [[0, 1, 2]]
    assert result.certificate.violated.tolist() == [1]
    assert result.certificate.reasons[0] == "no merit of group 'a': its mean score is not > 0"
    assert FairnessOfExposure("parity").rerank(asked, 3).certificate.kept.all()


def test_merit_of_zero_is_none_in_its_own_request_only():
    asked = candidates_of([[1, 0.5, 0], [1, 0.5, 0.5]], [["a", "a", "b"]] * 2)
    result = FairnessOfExposure("treatment").rerank(asked, 3)
    assert result.certificate.violated.tolist() == [1, 0]
    assert list(result.certificate.reasons) == [0]


def test_padding_changes_nothing():
    asked = candidates_of([APPLICANTS[0]], [APPLICANTS[1]])
    padded = Candidates(
        np.pad(asked.scores, ((0, 0), (0, 3)), constant_values=np.nan),
        np.pad(asked.groups, ((0, 0), (0, 3)), constant_values=-1),
        asked.names,
    )
    method = FairnessOfExposure()
    assert method.rerank(padded, 6).order.tolist() == method.rerank(asked, 6).order.tolist()


def test_refuses_wrong_parameters_all_at_once():
    with pytest.raises(RoleError) as raised:
        FairnessOfExposure("equal", tolerance=2, attention=(-1.0,))
    assert [one.where for one in raised.value.problems] == ["notion", "tolerance", "attention"]
    with pytest.raises(RoleError, match="1 of 2 slots"):
        FairnessOfExposure(attention=(1.0,)).rerank(candidates_of([[1, 2]], [["a", "b"]]), 2)
    with pytest.raises(RoleError, match="2 for 1 requests"):
        FairnessOfExposure().rerank(candidates_of([[1]], [["a"]]), 1, keys=["x", "y"])


@pytest.mark.slow
def test_a_hundred_candidates():
    rng = np.random.default_rng(1)
    scores = rng.random(100)
    groups = rng.choice(["a", "b", "c"], 100)
    result = FairnessOfExposure().rerank(candidates_of([scores], [groups]), 25)
    assert np.ptp(result.exposure[0]) < 1e-9
