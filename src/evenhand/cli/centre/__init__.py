"""``evenhand centre``: what whoever runs a centre does with it, beside serving it."""

from __future__ import annotations

import typer

from evenhand.cli.centre import backup, chain, migrate, plan, policy, token

centre = typer.Typer(
    help="Run a centre: tokens, plans, policies, backups, its chains and its tables.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
"""A verb with commands of its own."""

centre.add_typer(token.app, name="token")
centre.add_typer(policy.app, name="policy")
centre.command("register")(plan.register)
centre.command("backup")(backup.back_up)
centre.command("restore")(backup.restore)
centre.command("check")(chain.check)
centre.command("heads")(chain.heads)
centre.command("verify")(chain.verify)
centre.add_typer(migrate.app, name="migrate")
