"""``evenhand centre register``: a plan is named before its data begin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.centre.opened import Asked, By, opened, whoever
from evenhand.cli.output import show


def register(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="audit.yaml.", show_default=False)],
    *,
    product: Annotated[str, typer.Option(help="The product.")],
    name: Annotated[str, typer.Option(help="What policies call the plan.")],
    by: By = None,
    to: Asked = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Register a plan, so that nobody can choose it after seeing the data.

    The same plan again keeps its first day. A plan that asks for something else, under the same
    name, takes the place of the one before; both stay listed. With --to the centre there is asked,
    by a token with the right to administer; else its database is written to directly.

    [bold]Example[/bold]

      evenhand centre register audit.yaml --product lending --name fair-release
    """
    from evenhand.audits.plan.file import plan_text

    text = plan_text(plan)
    if to is not None:
        with flags.client_of(to, token_file, insecure=insecure) as client:
            made = client.register_plan(product, name, text)
            digest, registered, who = made.digest, made.registered, made.by
    else:
        with opened(database, storage) as centre:
            from evenhand.centre.store.plans import register_plan

            row = register_plan(centre, product, name, text, by=whoever(by))
            digest, registered, who = row.digest, row.registered, row.by
    document = {
        "product": product,
        "name": name,
        "digest": digest,
        "registered": registered.isoformat(),
        "by": who,
    }
    said = f"{product}: plan {name} is registered since {registered:%Y-%m-%d %H:%M} UTC\n{digest}"
    show(said, document, as_json=as_json)
