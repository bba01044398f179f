"""Fixtures that several test files share."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path

import pytest

# What tests compare with is on the CPU; those of a GPU say so.
os.environ.setdefault("EVENHAND_DEVICE", "cpu")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("EVENHAND_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; EVENHAND_DATA names the folder")
    return folder


@pytest.fixture(scope="session")
def examples():
    """The module of the examples, which prepares what their plans read."""
    path = Path(__file__).parent.parent / "examples" / "verdicts.py"
    spec = importlib.util.spec_from_file_location("verdicts", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def prepared(data, examples, tmp_path_factory) -> Path:
    """The folder of what examples prepare of the real data, such as the lists of recommenders."""
    folder = tmp_path_factory.mktemp("prepared")
    examples.prepare(data, folder)
    return folder


def pytest_collection_modifyitems(items) -> None:
    """Put the tests on Spark first: one of several workers then starts it, and none waits for it.

    Workers begin with one part of the tests each, and take over from the end of another's.
    """
    items.sort(key=lambda item: not _on_spark(item))


def _on_spark(item) -> bool:
    called = getattr(item, "callspec", None)
    named = called.params.values() if called else ()
    return "spark" in getattr(item, "fixturenames", ()) or any(
        isinstance(name, str) and name == "spark" for name in named
    )


@pytest.fixture(scope="session")
def spark():
    """One Spark session for all tests, since it takes many seconds to start."""
    pytest.importorskip("pyspark")
    from evenhand.logs.backend import spark_session

    # Java that starts for some minutes gains nothing from its second compiler.
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    submitted = f"--driver-java-options '{java}' pyspark-shell"
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", submitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = spark_session()
    yield session
    session.stop()


@pytest.fixture(params=["polars", "duckdb", pytest.param("spark", marks=pytest.mark.slow)])
def engine(request) -> str:
    """Every engine in turn; Spark only among the slow tests."""
    if request.param == "spark":
        request.getfixturevalue("spark")
    return request.param


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch) -> None:
    """Text is as on a pipe, however wide the screen is that tests are started from."""
    monkeypatch.delenv("COLUMNS", raising=False)
