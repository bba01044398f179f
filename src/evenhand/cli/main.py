"""The command ``evenhand``: its verbs, and how every error leaves it."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import pkgutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated

import typer

import evenhand
from evenhand import cli
from evenhand.cli.output import ENGINE, INTERRUPTED, fail
from evenhand.errors import EvenhandError, Problem, StoppedError, reason

app = typer.Typer(
    name="evenhand",
    help="Measure fairness, robustness, privacy and explanations, and say how sure that is.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""What Typer raises for an unknown option or a wrong value; it exports only this subclass."""


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"evenhand {evenhand.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=lambda value: _version(wanted=value),
        ),
    ] = False,
) -> None:
    """Carry the options of the command itself."""


def verbs() -> list[str]:
    """Return the names of all verbs: each module with something of its own name is one.

    That is a function, or an app where the verb has commands of its own.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(cli.__path__))
    return [name for name in names if name != "main" and _verb(name) is not None]


def commands() -> list[str]:
    """Return all commands in full: the verbs, and in place of some the commands that they have."""
    return [*_commands(typer.main.get_command(app), "")]


def _commands(command: object, name: str) -> Iterator[str]:
    of_verb: dict[str, object] | None = getattr(command, "commands", None)
    if of_verb is None:
        yield name
        return
    for word, one in of_verb.items():
        yield from _commands(one, f"{name} {word}".strip())


def _verb(name: str) -> Callable[..., None] | typer.Typer | None:
    found: Callable[..., None] | typer.Typer | None = vars(
        importlib.import_module(f"{cli.__name__}.{name}")
    ).get(name)
    return found


for _name in verbs():
    _found = _verb(_name)
    if isinstance(_found, typer.Typer):
        app.add_typer(_found, name=_name)
    else:
        app.command(_name)(_found)  # type: ignore[type-var]


_stopped = threading.Event()
"""Set by Ctrl-C: what follows is its consequence, whatever engines make of it."""


def _stop(*_: object) -> None:
    _stopped.set()
    raise StoppedError


def main() -> None:
    """Run the command; problems go to stderr (or to stdout as JSON) and exit with 2."""
    as_json = "--json" in sys.argv
    # Typer would turn Ctrl-C into status 1, which says that a gate failed.
    signal.signal(signal.SIGINT, _stop)
    # Nothing goes from Spark to pandas here, but by way of Arrow.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "closed")  # noqa: TRY301 - left as any other
        status = _status(as_json=as_json)
        # What is still held back must be out before anybody is told that all went well.
        sys.stdout.flush()
    except OSError as error:
        _give_up_stdout()
        if not isinstance(error, BrokenPipeError) and sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"evenhand: the output cannot be written: {reason(error)}.\n")
        status = ENGINE
    sys.exit(status)


def _status(*, as_json: bool) -> int | str:
    """Run the command and return its exit status."""
    stdout = sys.stdout
    try:
        # With --json the usage errors of the option parser must be JSON too.
        return app(standalone_mode=not as_json) or 0
    except SystemExit as left:
        # Typer muffles stdout where nobody reads on, and leaves with 1, which says that a gate
        # failed.
        if sys.stdout is not stdout:
            sys.stdout = stdout
            raise BrokenPipeError from left
        if _stopped.is_set():
            return _told_stopped()
        return left.code or 0
    except EvenhandError as error:
        return fail(error, as_json=as_json)
    except (StoppedError, KeyboardInterrupt):
        return _told_stopped()
    except _USAGE_ERROR as error:
        said: str = error.format_message()  # type: ignore[attr-defined]
        problem = Problem("command line", said, "See evenhand --help, or evenhand VERB --help.")
        return fail(EvenhandError(problem), as_json=as_json)
    except OSError as error:
        if error.filename is None:
            raise
        problem = Problem(f"{error.filename}", f"{reason(error)}.")
        return fail(EvenhandError(problem), as_json=as_json)


def _told_stopped() -> int:
    typer.echo("stopped; no file was left half-written", err=True)
    return INTERRUPTED


def _give_up_stdout() -> None:
    """Send what could not be written nowhere: Python would try again, and complain, as it ends."""
    if sys.stdout is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
