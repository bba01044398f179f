"""A process of its own: it answers, and whatever ends it ends nothing else."""

from __future__ import annotations

import operator
import os
import threading
import time

import pytest

from evenhand.centre.store.child import BusyError, Child, LateError
from evenhand.render import svg

MEMORY = 2**31


@pytest.fixture
def child():
    made = Child(operator.call, seconds=20, memory=MEMORY)
    yield made
    made.stop()


def test_questions_are_answered_by_another_process(child):
    first = child.ask(os.getpid)
    assert first != os.getpid()
    assert child.ask(os.getpid) == first


def test_a_process_that_ended_is_started_anew(child):
    first = child.ask(os.getpid)
    with pytest.raises((EOFError, OSError)):
        child.ask(os.abort)
    assert child.ask(os.getpid) not in {first, os.getpid()}


def test_what_takes_too_long_is_ended():
    child = Child(time.sleep, seconds=1, memory=MEMORY)
    before = time.monotonic()
    with pytest.raises(LateError):
        child.ask(600)
    assert child.ask(0) is None
    assert time.monotonic() - before < 300
    child.stop()


def test_who_would_wait_too_long_is_told_at_once():
    child = Child(time.sleep, seconds=60, memory=MEMORY, waiting=0)
    child.ask(0)
    asking = threading.Thread(target=child.ask, args=(2,))
    asking.start()
    time.sleep(0.5)
    with pytest.raises(BusyError):
        child.ask(0)
    asking.join()
    assert child.ask(0) is None
    child.stop()


def test_charts_are_drawn_by_what_is_told(monkeypatch):
    monkeypatch.setattr(svg, "_by", svg.draw)
    svg.draw_by(
        lambda spec: f'<svg xmlns="http://www.w3.org/2000/svg" width="{len(spec)}" height="7"/>'
    )
    drawn = svg.svg({"config": {"font": "serif"}, "no": "such chart"})
    assert 'height="7"' in drawn
    assert 'font-family="serif"' in drawn
