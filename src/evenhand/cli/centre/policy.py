"""``evenhand centre policy``: what a release needs beside its rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from evenhand.cli import flags
from evenhand.cli.centre.opened import Asked, By, opened, whoever
from evenhand.cli.output import show
from evenhand.errors import EvenhandError, Problem

if TYPE_CHECKING:
    from evenhand.centre.protocol import PolicyDocument
    from evenhand.centre.store.tables import Policy

app = typer.Typer(help="Show policies, and put new versions in force.", no_args_is_help=True)

Company: TypeAlias = Annotated[bool, typer.Option("--company", help="That of the whole company.")]


@app.command("set")
def set_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML.", show_default=False)],
    *,
    product: flags.Product = None,
    company: Company = False,
    by: By = None,
    to: Asked = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Put a new version of a policy in force; earlier ones are kept.

    A product's own policy replaces that of the company for it.

    [bold]Example[/bold]

      evenhand centre policy set policy.yaml --company

      evenhand centre policy set strict.yaml --product lending --to https://centre.example.org
    """
    from evenhand.audits.plan.file import plan_text
    from evenhand.centre.policy import parse_policy

    whose = _whose(product, company=company)
    text = plan_text(file)
    parse_policy(text, str(file))
    made: PolicyDocument | Policy
    if to is not None:
        with flags.client_of(to, token_file, insecure=insecure) as client:
            made = client.write_policy(text, product)
    else:
        with opened(database, storage) as centre:
            from evenhand.centre.store.policies import write_policy

            made = write_policy(centre, product, text, by=whoever(by))
    document = _document(product, made.version, made.digest, made.text)
    show(f"policy of {whose}: version {made.version} is in force", document, as_json=as_json)


@app.command("show")
def show_(
    *,
    product: flags.Product = None,
    company: Company = False,
    version: Annotated[
        int | None, typer.Option(help="A version that is no longer in force.")
    ] = None,
    to: Asked = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Print the policy that decides about a product, or that of the company.

    [bold]Example[/bold]

      evenhand centre policy show --product lending > policy.yaml
    """
    _whose(product, company=company)
    if to is not None:
        with flags.client_of(to, token_file, insecure=insecure) as client:
            found = client.policy(product, version)
            document = _document(found.product, found.version, found.digest, found.text)
    else:
        with opened(database, storage) as centre, centre.database.reading() as session:
            from evenhand.centre.store.policies import policy_record
            from evenhand.centre.store.registry import product_named

            row = None if product is None else product_named(session, product)
            record = policy_record(session, row, version)
            document = _document(record.product, record.version, record.digest, record.text)
    whose = f"product {document['product']}" if document["product"] else "the company"
    head = f"# {whose}, version {document['version']}" if document["version"] else "# built in"
    text = f"{head}\n{document['text'].rstrip()}"
    if as_json:
        show("", document, as_json=True)
    else:
        # Neither wrapped nor marked up: it is read back as YAML.
        typer.echo(text)


def _whose(product: str | None, *, company: bool) -> str:
    """Return whose policy is meant: one of the two must be said.

    Raises:
        EvenhandError: Neither is, or both are.

    """
    if (product is None) is not company:
        what = "say whose policy is meant: that of a product, or of the whole company."
        hint = "Write either --product NAME or --company."
        raise EvenhandError(Problem("--product, --company", what, hint))
    return "the company" if product is None else f"product {product}"


def _document(product: str | None, version: int, digest: str, text: str) -> dict[str, Any]:
    return {"product": product, "version": version, "digest": digest, "text": text}
