"""From a model to a verdict: scikit-learn's digits, groups by stroke thickness, one plan."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

import evenhand as eh

datasets = pytest.importorskip("sklearn.datasets")

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
SPLIT = 1_000


@pytest.fixture(scope="module")
def digits():
    """Images in [0, 1], digits, and who is compared; the last 797 are to be probed."""
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = (x[order] / 16).reshape(-1, 8, 8).astype(np.float32), y[order]
    ink = x[SPLIT:].mean(axis=(1, 2))
    names = np.array(["thin", "medium", "thick"])
    return x, y, names[np.searchsorted(np.quantile(ink, [1 / 3, 2 / 3]), ink)]


@pytest.fixture(scope="module")
def fitted(digits):
    from sklearn.linear_model import LogisticRegression

    x, y, _ = digits
    return LogisticRegression(max_iter=500).fit(x[:SPLIT].reshape(SPLIT, -1), y[:SPLIT])


@pytest.fixture(scope="module")
def net(digits):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    x, y, _ = digits
    torch.manual_seed(0)
    images, labels = torch.from_numpy(x[:SPLIT])[:, None], torch.from_numpy(y[:SPLIT])
    made = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10)),
    )
    step = torch.optim.Adam(made.parameters(), 3e-3)
    for _ in range(25):
        for some in torch.randperm(SPLIT).split(64):
            step.zero_grad()
            nn.functional.cross_entropy(made(images[some]), labels[some]).backward()
            step.step()
    return made


def robust_in_closed_form(estimator, x, labels, eps):
    """Whether each image of a linear model resists every change of at most eps inside [0, 1].

    Against each other class every pixel goes to the better end of what it may be.
    """
    low, high = np.clip(x - eps, 0, 1), np.clip(x + eps, 0, 1)
    resists = np.ones(len(x), dtype=bool)
    for other in range(10):
        toward = estimator.coef_[other] - estimator.coef_[labels]
        gain = estimator.intercept_[other] - estimator.intercept_[labels]
        worst = (np.where(toward > 0, high, low) * toward).sum(axis=1) + gain
        resists &= (worst < 0) | (labels == other)
    return resists


@pytest.mark.slow
def test_robust_accuracy_of_a_linear_model_is_that_of_the_closed_form(digits, fitted):
    x, y, thickness = digits
    flat = x[SPLIT:].reshape(-1, 64).astype(np.float64)
    log = eh.probe(
        *(fitted, flat, "attack.auto(steps=50, queries=200)"),
        eps="0.05",
        labels=y[SPLIT:],
        groups={"thickness": thickness},
    )
    exact = robust_in_closed_form(fitted, flat, y[SPLIT:], 0.05)
    assert 0.7 < exact.mean() < 0.95
    found = eh.estimate("difference(robust_accuracy, by=thickness)", log)
    for group in found.groups:
        members = thickness == group.group["thickness"]
        assert group.outcome.value == pytest.approx(exact[members].mean(), abs=1e-12)
    rows = log.source.frame.to_native().collect()
    assert rows["robust"].to_list() == exact.tolist()


@pytest.mark.slow
def test_plan_of_the_page_audits_a_network_by_group(digits, net, tmp_path):
    x, y, thickness = digits
    out, page = tmp_path / "attacked.parquet", tmp_path / "report.html"
    eh.probe(
        *(net, x[SPLIT:, None], "attack.pgd(steps=10)"),
        eps=["0.05", "0.1"],
        labels=y[SPLIT:],
        groups={"thickness": thickness},
        out=out,
    )
    assert net.training
    assert all(one.requires_grad for one in net.parameters())
    plan = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])
    plan["log"]["source"] = str(out)
    bundle = eh.audit(plan, html=page)
    assert {(one.rule, one.scope) for one in bundle.rules} == {
        (rule["rule"], f"variant == 'linf {eps}'") for rule in plan["gate"] for eps in (0.05, 0.1)
    }
    figures = {(one.key, one.slice): one for one in bundle.findings}
    robust = [figures["robust_accuracy", f"variant == 'linf {eps}'"].value for eps in (0.05, 0.1)]
    clean = figures["clean_accuracy", "variant == 'linf 0.1'"].value
    assert clean > robust[0] > robust[1] > 0
    rows = pl.read_parquet(out).filter(pl.col("eps") == 0.1)
    wanted = rows.group_by("thickness").agg(pl.col("robust").mean())
    shares = dict(wanted.iter_rows())
    gap = figures["difference(robust_accuracy, by=thickness)", "variant == 'linf 0.1'"]
    assert gap.value == pytest.approx(max(shares.values()) - min(shares.values()))
    text = page.read_text()
    assert "robust_accuracy" in text
    assert "an upper bound" in text
