"""``evenhand worker``: runs the centre's jobs, on this machine or beside its database."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import show


def worker(
    *,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    root: flags.Roots = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(
            help="A variable of the environment that plans may use as ${NAME}; by default "
            "EVENHAND_DATA.",
            show_default=False,
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Jobs that run at once.")] = 1,
    memory: Annotated[str, typer.Option(help="What a job may allocate: 512MiB, 4GiB.")] = "4GiB",
    limit: Annotated[str, typer.Option(help="How long an attempt may take: 30m, 6h.")] = "6h",
    master: flags.Master = None,
    once: Annotated[bool, typer.Option("--once", help="Run the jobs that wait, and end.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Run the centre's jobs: each in a process of its own, with limits, one worker at a time.

    A job whose worker is killed is taken up by another. Jobs read only what lies under a --root: a
    folder, s3://bucket/prefix, delta:PLACE, iceberg:PLACE, or table:SCHEMA of Spark's catalogue.
    Ctrl-C stops the worker and puts what it runs back.

    [bold]Example[/bold]

      evenhand worker --root data/

      evenhand worker --database postgresql+psycopg://evenhand@db/evenhand --storage s3://evidence
        --root s3://logs/2026 --parallel 4 --memory 16GiB
    """
    from rich.text import Text

    from evenhand.errors import MissingExtraError, listed

    try:
        import huey  # noqa: F401 - whether it is there
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("centre", where="evenhand worker") from error
    from evenhand.centre.jobs.settings import VARIABLES, Settings, size_of, span_of
    from evenhand.centre.jobs.worker import Worker
    from evenhand.centre.store.centre import open_centre

    settings = Settings(
        roots=tuple(root or ()),
        variables=tuple(variable or VARIABLES),
        master=master,
        parallel=parallel,
        memory=size_of(memory),
        limit=span_of(limit),
    )
    centre = open_centre(database=database, storage=storage, roots=settings.roots)
    runner = Worker(centre, settings)
    document = {
        "worker": runner.name,
        "database": centre.database.url.render_as_string(hide_password=True),
        "roots": [*settings.roots],
    }
    if once:
        count = runner.run_waiting()
        said = f"{runner.name} ran {count} job{'s' * (count != 1)}."
        show(Text(said), {**document, "jobs": count}, as_json=as_json)
        return
    reads = listed(settings.roots) if settings.roots else "nothing; name folders: --root DIR"
    lines = [
        f"{runner.name} runs jobs. Ctrl-C stops it.",
        f"  database  {document['database']}",
        f"  jobs read {reads}",
    ]
    show(Text("\n".join(lines)), document, as_json=as_json)
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("evenhand.jobs").setLevel(logging.INFO)
    runner.run()
