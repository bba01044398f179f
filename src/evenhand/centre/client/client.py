"""The centre from Python: every document of its API, typed.

>>> import evenhand as eh
>>> centre = eh.connect("http://127.0.0.1:8642")  # doctest: +SKIP
>>> [product.name for product in centre.products()]  # doctest: +SKIP
['lending', 'search']
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from evenhand.audits.evidence.file import read_whole
from evenhand.centre.client.address import Address, address_of
from evenhand.centre.client.connection import Connection, connected
from evenhand.centre.decision import Decision
from evenhand.centre.protocol import (
    About,
    AuditDocument,
    Compared,
    EntryDocument,
    FindingDocument,
    GateRequest,
    HeadDocument,
    JobDocument,
    JobLineDocument,
    JobRequest,
    ModelDocument,
    PlanDocument,
    PlanRequest,
    PolicyDocument,
    PolicyRequest,
    ProductDocument,
    PushedDocument,
    RunDocument,
    RunEnd,
    RunRequest,
    Verdict,
    VersionDocument,
    VersionRequest,
    WaiverAnswer,
    WaiverDocument,
    WaiverRequest,
)

if TYPE_CHECKING:
    import httpx2


class Client:
    """A centre that others run.

    Lists are read part after part as they are looped over. What can be repeated without harm is
    tried again where the centre does not answer.

    Attributes:
        address: Where it is.

    """

    def __init__(
        self,
        address: str | Address,
        token: str | None = None,
        *,
        insecure: bool = False,
        timeout: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Say where the centre is; nothing is sent yet.

        Args:
            address: Its address.
            token: What it lets in by; None for nothing.
            insecure: Whether the token may be sent unencrypted to another machine.
            timeout: Seconds that an answer may take.
            transport: What carries requests; None for the network.

        Raises:
            EvenhandError: It is no address.
            DeniedError: The token would be sent unencrypted to another machine.

        """
        if not isinstance(address, Address):
            address = address_of(address, token, insecure=insecure)
        self.address = address
        self._connection = connected(address, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what it holds open."""
        self.close()

    def close(self) -> None:
        """Close what it holds open."""
        self._connection.http.close()

    @property
    def connection(self) -> Connection:
        """How requests reach the centre."""
        return self._connection

    def about(self) -> About:
        """Return what the centre is, and who asks."""
        return self._connection.read(About, "GET", "/")

    # Products, models, versions

    def products(
        self, *, search: str | None = None, pillar: str | None = None, state: str | None = None
    ) -> Iterator[ProductDocument]:
        """Yield the products that may be seen."""
        return self._connection.pages(
            ProductDocument, "/products", search=search, pillar=pillar, state=state
        )

    def product(self, product: str) -> ProductDocument:
        """Return a product."""
        return self._connection.read(ProductDocument, "GET", _path("products", product))

    def models(self, product: str) -> Iterator[ModelDocument]:
        """Yield the models of a product."""
        return self._connection.pages(ModelDocument, _path("products", product, "models"))

    def versions(self, product: str, model: str) -> Iterator[VersionDocument]:
        """Yield the versions of a model."""
        return self._connection.pages(VersionDocument, _versions(product, model))

    def bind(self, product: str, model: str, version: str, artefact: str) -> VersionDocument:
        """Say which file ships as a version, by its SHA-256."""
        return self._connection.read(
            VersionDocument,
            "PUT",
            _versions(product, model, version),
            body=VersionRequest(artefact=artefact),
        )

    def chain(self, product: str) -> Iterator[EntryDocument]:
        """Yield the lines of a product's chain."""
        return self._connection.pages(EntryDocument, _path("products", product, "chain"))

    def heads(self) -> Iterator[HeadDocument]:
        """Yield the last lines of all chains, to be kept elsewhere."""
        return self._connection.pages(HeadDocument, "/chain/heads")

    # Evidence

    def push(
        self,
        data: bytes | Path,
        *,
        product: str | None = None,
        model: str | None = None,
        version: str | None = None,
        run: str | None = None,
    ) -> PushedDocument:
        """Push evidence; pushing it again changes nothing.

        Args:
            data: Its bytes, or its file.
            product: What it is pushed as; None for what its plan says.
            model: As ``product``.
            version: As ``product``.
            run: The run that it ends, where one was announced.

        Raises:
            EvenhandError: The centre does not accept it as evidence.
            ConflictError: It is about something else, or was pushed as something else.

        """
        return self._connection.read(
            PushedDocument,
            "POST",
            "/bundles",
            params={"product": product, "model": model, "version": version, "run": run},
            body=read_whole(data) if isinstance(data, Path) else data,
        )

    def audits(
        self,
        *,
        product: str | None = None,
        verdict: Verdict | None = None,
        pillar: str | None = None,
    ) -> Iterator[AuditDocument]:
        """Yield the audits that may be seen, the newest first."""
        return self._connection.pages(
            AuditDocument, "/audits", product=product, verdict=verdict, pillar=pillar
        )

    def audit(self, bundle: str) -> AuditDocument:
        """Return an audit, by the SHA-256 of its file."""
        return self._connection.read(AuditDocument, "GET", _path("audits", bundle))

    def findings(
        self,
        bundle: str | None = None,
        *,
        product: str | None = None,
        search: str | None = None,
        verdict: Verdict | None = None,
    ) -> Iterator[FindingDocument]:
        """Yield the findings of an audit, or of all that may be seen."""
        if bundle is not None:
            path = _path("audits", bundle, "findings")
            return self._connection.pages(FindingDocument, path, search=search, verdict=verdict)
        return self._connection.pages(
            FindingDocument, "/findings", product=product, search=search, verdict=verdict
        )

    def bundle(self, bundle: str) -> bytes:
        """Return the file of an audit, byte for byte."""
        return self._connection.send("GET", _path("bundles", bundle), again=True).content

    def report(self, bundle: str) -> str:
        """Return the report of an audit, HTML."""
        return self._connection.send("GET", _path("audits", bundle, "report"), again=True).text

    # Gates

    def dossier(self, product: str, model: str, version: str, against: str | None = None) -> bytes:
        """Return what a gate of a version needs, in an envelope that the centre signed."""
        path = f"{_versions(product, model, version)}/dossier"
        return self._connection.send("GET", path, again=True, params={"against": against}).content

    def gate(
        self,
        product: str,
        model: str,
        version: str,
        *,
        artefact: str | None = None,
        against: str | None = None,
    ) -> Decision:
        """Let the centre decide about a release, and keep what it decides."""
        return self._connection.read(
            Decision,
            "POST",
            f"{_versions(product, model, version)}/gate",
            again=False,
            body=GateRequest(artefact=artefact, against=against),
        )

    def send_decision(self, decision: Decision) -> Compared:
        """Give the centre what a cache decided in its place; the centre says whether it holds."""
        return self._connection.read(Compared, "POST", "/decisions", body=decision)

    # Runs and plans

    def start_run(self, run: RunRequest) -> RunDocument:
        """Announce an audit before it reads rows."""
        return self._connection.read(RunDocument, "POST", "/runs", body=run)

    def end_run(
        self,
        run: str,
        state: Literal["finished", "failed"],
        *,
        bundle: str | None = None,
        reason: str = "",
    ) -> RunDocument:
        """Say how a run ended."""
        end = RunEnd(state=state, bundle=bundle, reason=reason)
        return self._connection.read(RunDocument, "PATCH", _path("runs", run), body=end)

    def runs(
        self,
        product: str,
        *,
        model: str | None = None,
        version: str | None = None,
        state: str | None = None,
    ) -> Iterator[RunDocument]:
        """Yield the runs of a product."""
        path = _path("products", product, "runs")
        return self._connection.pages(RunDocument, path, model=model, version=version, state=state)

    def register_plan(self, product: str, name: str, text: str) -> PlanDocument:
        """Register a plan under a name, before the days that it is about."""
        path = _path("products", product, "plans", name)
        return self._connection.read(PlanDocument, "PUT", path, body=PlanRequest(text=text))

    def plans(self, product: str) -> Iterator[PlanDocument]:
        """Yield the registered plans of a product."""
        return self._connection.pages(PlanDocument, _path("products", product, "plans"))

    # Policies and waivers

    def policy(self, product: str | None = None, version: int | None = None) -> PolicyDocument:
        """Return the policy that decides about a product; without one, that of the company."""
        return self._connection.read(
            PolicyDocument, "GET", _policy(product), params={"version": version}
        )

    def write_policy(self, text: str, product: str | None = None) -> PolicyDocument:
        """Put a new version of a policy in force; without a product, of that of the company."""
        return self._connection.read(
            PolicyDocument, "PUT", _policy(product), body=PolicyRequest(text=text)
        )

    def waivers(self, product: str) -> Iterator[WaiverDocument]:
        """Yield the waivers of a product."""
        return self._connection.pages(WaiverDocument, _path("products", product, "waivers"))

    def request_waiver(
        self,
        product: str,
        *,
        model: str,
        rule: str,
        owner: str,
        reason: str,
        expires: dt.date,
    ) -> WaiverDocument:
        """Ask that the failure of a rule be accepted until a day."""
        asked = WaiverRequest(model=model, rule=rule, owner=owner, reason=reason, expires=expires)
        path = _path("products", product, "waivers")
        return self._connection.read(WaiverDocument, "POST", path, again=False, body=asked)

    def answer_waiver(self, waiver: int, *, approved: bool) -> WaiverDocument:
        """Grant a waiver, or refuse it."""
        return self._connection.read(
            WaiverDocument,
            "POST",
            _path("waivers", str(waiver), "answer"),
            again=False,
            body=WaiverAnswer(approved=approved),
        )

    # Jobs

    def start_job(self, job: JobRequest) -> JobDocument:
        """Let a worker of the centre run an audit."""
        return self._connection.read(JobDocument, "POST", "/jobs", again=False, body=job)

    def jobs(
        self, *, product: str | None = None, state: str | None = None
    ) -> Iterator[JobDocument]:
        """Yield jobs, the newest first."""
        return self._connection.pages(JobDocument, "/jobs", product=product, state=state)

    def job(self, job: str) -> JobDocument:
        """Return a job."""
        return self._connection.read(JobDocument, "GET", _path("jobs", job))

    def log(self, job: str) -> Iterator[JobLineDocument]:
        """Yield the lines of a job's log."""
        return self._connection.pages(JobLineDocument, _path("jobs", job, "log"))

    def cancel(self, job: str) -> JobDocument:
        """Ask that a job be stopped."""
        return self._connection.read(JobDocument, "POST", _path("jobs", job, "cancel"))

    def page(self, audit: AuditDocument) -> str:
        """Return the address of the page of an audit."""
        return f"{self.address.url}{audit.links.get('page', '')}"


def new_run() -> str:
    """Return an id for a run that will be announced."""
    return uuid.uuid4().hex


def _path(*parts: str) -> str:
    # A name with a slash, or of dots alone, is a name and leads nowhere else.
    return "".join(f"/{_DOTS.get(part) or quote(part, safe=':')}" for part in parts)


_DOTS = {".": "%2E", "..": "%2E%2E"}


def _versions(product: str, model: str, *version: str) -> str:
    return _path("products", product, "models", model, "versions", *version)


def _policy(product: str | None) -> str:
    return "/policies" if product is None else _path("products", product, "policy")
