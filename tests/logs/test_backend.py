"""Reaching engines: Spark by a session or a master, and what is said where nobody answers."""

from __future__ import annotations

import socket

import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import EngineError, first_line
from evenhand.logs import backend
from evenhand.logs.backend import Spark, spark_session
from evenhand.logs.source import failure

ROWS = pl.DataFrame({"g": ["a", "a", "b"], "p": [1, 0, 1]})


def _nobody():
    """A port of this machine on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def no_session(monkeypatch):
    """No Spark session runs here, as far as anybody can see."""
    session = pytest.importorskip("pyspark.sql").SparkSession
    monkeypatch.setattr(session, "getActiveSession", lambda: None)


@pytest.mark.parametrize("scheme", ["spark", "sc"])
@pytest.mark.usefixtures("no_session")
def test_a_master_that_does_not_answer_is_named_at_once(scheme):
    master = f"{scheme}://127.0.0.1:{_nobody()}"
    with pytest.raises(EngineError) as caught:
        eh.log(ROWS, kind="decisions", prediction="p", engine=eh.spark(master=master))
    (problem,) = caught.value.problems
    assert problem.where == f"master '{master}'"
    assert "nobody answers" in problem.what
    assert "refused" in problem.what


@pytest.mark.usefixtures("no_session")
def test_a_master_whose_name_is_unknown_is_named():
    with pytest.raises(EngineError, match="nobody answers"):
        spark_session(Spark(master="spark://no-such-host.invalid:7077"))


@pytest.mark.usefixtures("no_session")
def test_an_unreachable_master_is_an_engine_error_of_the_command(tmp_path, monkeypatch, capsys):
    from evenhand.cli.main import main

    ROWS.write_parquet(tmp_path / "x.parquet")
    master = f"spark://127.0.0.1:{_nobody()}"
    words = ["audit", str(tmp_path / "x.parquet"), "--prediction", "p", "--master", master]
    monkeypatch.setattr("sys.argv", ["evenhand", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 4
    assert "nobody answers" in capsys.readouterr().err


@pytest.mark.usefixtures("no_session")
def test_one_of_several_masters_is_enough(monkeypatch):
    class Builder:
        def __getattr__(self, _):
            return lambda *_, **__: self

        sparkContext = property(lambda self: self)  # noqa: N815 - Spark's name

    monkeypatch.setattr("pyspark.sql.SparkSession.builder", Builder())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        spark_session(Spark(master=f"spark://127.0.0.1:{_nobody()},127.0.0.1:{port}"))


@pytest.mark.slow
def test_a_session_that_runs_is_the_engine(spark):
    log = eh.log(ROWS, kind="decisions", prediction="p", engine=eh.spark(spark))
    assert log.source.engine == "spark"
    assert eh.estimate("selection_rate", log).rows == 3


@pytest.mark.slow
def test_another_master_than_that_of_the_running_session_is_refused(spark):
    with pytest.raises(EngineError, match="is running in this process"):
        spark_session(Spark(master="local[7]"))
    assert spark_session(Spark(master=spark.sparkContext.master)) is spark


@pytest.mark.slow
def test_a_new_session_does_not_take_over_ctrl_c(spark):
    import signal

    assert spark is not None
    handler = signal.getsignal(signal.SIGINT)
    assert not getattr(handler, "__module__", "").startswith("pyspark")


def test_duckdb_tells_how_far_it_is():
    pytest.importorskip("duckdb")
    assert backend.share_done("duckdb", backend.duckdb_connection()) is None


def test_an_engine_that_does_not_tell_is_no_error():
    assert backend.share_done("spark", object()) is None


def test_what_stopped_the_work_comes_back_as_it_is():
    broken = OSError("the pipe is broken")
    broken.__context__ = KeyboardInterrupt()
    assert isinstance(failure("x", broken), KeyboardInterrupt)


def test_duckdbs_answer_to_an_interrupt_is_one():
    assert isinstance(failure("x", RuntimeError("Query interrupted")), KeyboardInterrupt)


def test_the_bridge_to_java_does_not_hide_what_java_says():
    error = OSError(
        "An error occurred while calling o1.load.\n: java.io.IOException: no disk\n\tat"
    )
    assert first_line(error) == "java.io.IOException: no disk"
