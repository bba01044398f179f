"""Estimators fitted on tables with text are asked by numbers, and answer as they do of tables."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.errors import EvenhandError
from evenhand.models.framed import Framed
from evenhand.probes.opened import Asked, opened

pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")


def table(size=120):
    rng = np.random.default_rng(0)
    job = rng.choice(["clerk", "nurse", "smith", ""], size)
    age = rng.integers(18, 80, size)
    return pl.DataFrame(
        {
            "job": [one or None for one in job],
            "age": age,
            "rich": (age > 50) ^ (job == "nurse"),
            "town": ["x"] * size,
        }
    )


def fitted():
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier

    rows = table().to_pandas()
    encoder = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    return make_pipeline(encoder, DecisionTreeClassifier(max_depth=3)).fit(
        rows[["job", "age"]], rows["rich"]
    )


def test_columns_are_those_the_estimator_was_fitted_on_and_its_answers_are_its_own():
    pipeline = fitted()
    model, inputs = opened(pipeline, table(), Asked(labels="rich"))
    assert inputs.features == ("job", "age")
    assert inputs.values == {"job": ("clerk", "nurse", "smith", None)}
    assert (model.spec.low, model.spec.high) == (0.0, float(table()["age"].max()))
    said = pipeline.predict_proba(table().to_pandas()[["job", "age"]])
    np.testing.assert_array_equal(model.scores(inputs.x), said)
    assert inputs.table["job"].to_list() == table()["job"].to_list()


def test_file_is_opened_as_the_object_is(tmp_path):
    joblib = pytest.importorskip("joblib")
    joblib.dump(fitted(), tmp_path / "model.joblib")
    table().write_parquet(tmp_path / "rows.parquet")
    address, rows = str(tmp_path / "model.joblib"), str(tmp_path / "rows.parquet")
    model, inputs = opened(address, rows, Asked(labels="rich"), trust_pickle=True)
    assert model.name == "model.joblib"
    same, _ = opened(fitted(), table(), Asked(labels="rich"))
    np.testing.assert_array_equal(model.scores(inputs.x), same.scores(inputs.x))
    with pytest.raises(EvenhandError, match="trust-pickle"):
        opened(address, rows, Asked(labels="rich"))


def test_column_that_the_model_needs_and_the_table_lacks_is_named():
    with pytest.raises(EvenhandError, match="age"):
        opened(fitted(), table().drop("age"), Asked(labels="rich"))


def test_numbers_become_the_table_again():
    framed = Framed(fitted(), ("job", "age"), {"job": ("clerk", "nurse", "smith", None)})
    found = framed.frame(np.array([[0.0, 30.0], [3.0, 41.0], [9.6, 18.0]]))
    assert found["job"].iloc[0] == "clerk"
    assert found["job"].isna().tolist() == [False, True, True]
    assert found["age"].tolist() == [30, 41, 18]
    assert found["age"].dtype.kind == "i"


def test_features_that_are_said_as_fitted_are_asked_by_name_and_nobody_is_warned(recwarn):
    pipeline = fitted()
    model, inputs = opened(
        pipeline, table(), Asked(labels="rich", features=["job", "age"], observed=True)
    )
    said = pipeline.predict(table().to_pandas()[["job", "age"]])
    assert [model.spec.labels[one] for one in model.predict(inputs.x)] == said.tolist()
    assert not [one for one in recwarn if "feature names" in str(one.message)]


def test_missing_text_is_answered_alone_as_in_a_mixed_batch():
    model, inputs = opened(fitted(), table(), Asked(labels="rich"))
    last = inputs.values["job"].index(None)
    gone = inputs.x[inputs.x[:, 0] == last]
    assert 1 < len(gone) < len(inputs)
    whole = model.scores(inputs.x)[inputs.x[:, 0] == last]
    # The encoder refuses what it was not fitted on.
    np.testing.assert_array_equal(model.scores(gone), whole)
    np.testing.assert_array_equal(model.scores(gone[:1]), whole[:1])
