"""Files that are there whole or not at all, one or several."""

import errno
import os
from pathlib import Path

import pytest

from evenhand.audits.evidence.file import check_targets, write_all, write_whole
from evenhand.errors import OutputError


def test_all_files_are_written(tmp_path):
    write_all({tmp_path / "a": b"1", str(tmp_path / "b"): b"2"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("step", ["open", "replace"])
def test_where_the_second_cannot_be_written_neither_is(tmp_path, monkeypatch, step):
    own, calls = getattr(Path, step), []

    def refuse(self, *words):
        calls.append(self)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return own(self, *words)

    monkeypatch.setattr(Path, step, refuse)
    with pytest.raises(OutputError) as caught:
        write_all({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    (problem,) = caught.value.problems
    assert problem.where == str(tmp_path / "b")
    assert problem.what == "it cannot be written: the disk is full."
    assert ".part" not in str(caught.value)
    assert [*tmp_path.iterdir()] == []


def test_one_file_for_two_outputs_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="two outputs would be this file"):
        check_targets(["x", tmp_path / "x"], force=True)


def test_a_folder_is_no_file_whatever_force_says(tmp_path):
    for force in (True, False):
        with pytest.raises(OutputError) as caught:
            check_targets([tmp_path], force=force)
        assert "this is a folder" in str(caught.value)
        assert "force" not in str(caught.value)


def test_a_folder_that_takes_no_files_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="no file can be written in the folder"):
        check_targets([tmp_path / "x"], force=False)


def test_the_hint_fits_python_and_the_command_line(tmp_path):
    write_whole(b"", tmp_path / "x")
    with pytest.raises(OutputError, match=r"force=True \(--force\)"):
        write_whole(b"", tmp_path / "x")


def test_a_long_name_is_written(tmp_path):
    write_whole(b"1", tmp_path / ("x" * 250))
    assert (tmp_path / ("x" * 250)).read_bytes() == b"1"
