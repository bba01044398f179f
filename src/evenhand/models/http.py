"""An endpoint as a model: asked in batches, never twice for the same, never beyond its budget.

A request is a POST of a batch of inputs, as JSON ``{"inputs": [...]}``, as a ``.npy`` file, or as
raw numbers of float32 with their shape in a header. The answer is JSON ``{"scores": [[...]]}`` or
``{"labels": [...]}``, or in the form of the request an array of scores. Answers are kept on disk,
so that a probe that was stopped goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import httpx2
import numpy as np

from evenhand.errors import ModelError, Problem, first_line
from evenhand.models.answer import (
    UnansweredError,
    batches,
    check_inputs,
    check_scores,
    codes_of,
    normalised,
)
from evenhand.models.canary import canaries, digest_of
from evenhand.models.kept import Kept, key_of, same
from evenhand.models.model import Array, Codes, Floats, Offer, Slope
from evenhand.models.spec import Label, Spec
from evenhand.models.wire import Form, packed, unpacked

TOKEN = "EVENHAND_MODEL_TOKEN"  # noqa: S105 - the name of a variable
"""The variable of the token that an endpoint lets in by, unless another is named."""

TRUSTED = "EVENHAND_MODEL_TOKEN_HOST"
"""The variable of the host that a plan's endpoint must be of for the token to be sent to it."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before what went wrong is tried again."""

LONGEST = 300.0
"""Seconds that an endpoint may ask to wait; where it asks for more the probe stops."""

_BUSY = {429, 503}
"""Nothing was answered, nor counted: try again later."""

_FAILED = {500, 502, 504}

_SECRET = ("key", "token", "secret", "sig", "password", "auth")

_SHOWN = 200


@dataclass(frozen=True)
class Way:
    """How an endpoint is asked.

    Attributes:
        form: What a batch is sent as.
        batch: Inputs in a request.
        timeout: Seconds that an answer may take.
        pauses: Seconds before each further try.
        rate: Requests in a second at most; None for no limit.
        max_queries: Inputs that may be sent, tries included; None for no limit.
        cache: The folder in which answers are kept; None for the length of the process.
        token: The variable of the environment that holds a token; it is sent where it is set.
        trusted: The only host that the token is sent to; None for whatever is asked, as where the
            person who set the token named the endpoint too.
        insecure: Send the token unencrypted to another machine.

    """

    form: Form = "json"
    batch: int = 64
    timeout: float = 30.0
    pauses: tuple[float, ...] = PAUSES
    rate: float | None = None
    max_queries: int | None = None
    cache: Path | None = None
    token: str = TOKEN
    trusted: str | None = None
    insecure: bool = False


@dataclass(frozen=True)
class Cost:
    """What questions to an endpoint will cost, predicted before they are asked.

    Attributes:
        queries: Inputs.
        requests: Requests that carry them.
        seconds: By the rate limit, and by how long answers took so far; None before the first.

    """

    queries: int
    requests: int
    seconds: float | None


class HttpModel:
    """An endpoint as a model.

    Inputs travel as float32. The same input is asked about once: later it is answered from what is
    kept, as long as the canaries are answered as before. `queries` counts what the model was asked,
    whoever answered; `sent` counts what left this machine, tries included.

    Attributes:
        spec: What it takes and gives.
        name: Its address, without what stands behind a question mark.
        queries: Inputs it was asked about.
        sent: Inputs that were sent, canaries included.
        own_labels: None: it is not asked to name its classes.

    """

    own_labels: tuple[Label, ...] | None = None

    def __init__(
        self,
        address: str,
        spec: Spec,
        way: Way | None = None,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to ask an endpoint; nothing is sent yet.

        Args:
            address: ``http://`` or ``https://``, without secrets.
            spec: What it takes and gives.
            way: How it is asked.
            transport: What carries requests; None for the network.
            pause: Waits some seconds.
            clock: Tells seconds.

        Raises:
            ModelError: A secret stands in the address, or would be sent unencrypted.

        """
        self.spec, self.way = spec, way or Way()
        self.queries, self.sent = 0, 0
        self._pause, self._clock = pause, clock
        self._next, self._spent, self._requests = 0.0, 0.0, 0
        parts = _parts(address)
        self.name = parts._replace(query="", fragment="").geturl()
        known = self.way.trusted in {None, parts.hostname}
        self._token = os.environ.get(self.way.token, "") if known else ""
        self._check_secrets(parts.username, parts.query)
        local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if self._token and parts.scheme == "http" and not (local or self.way.insecure):
            what = f"the token of {self.way.token} would be sent unencrypted."
            raise ModelError(
                Problem(self.name, what, f"Write https://, or unset {self.way.token}.")
            )
        self._url = address
        self._http = httpx2.Client(
            timeout=self.way.timeout,
            follow_redirects=False,
            trust_env=not local,
            transport=transport,
        )
        self._canaries: Any = None
        self._each: tuple[int, ...] | None = None
        self._kept: Kept | None = None

    @property
    def offers(self) -> frozenset[Offer]:
        """Scores, unless it gives labels alone."""
        return frozenset() if self.spec.output == "labels" else frozenset({"scores"})

    def array(self, x: Floats) -> Array:
        """Return inputs as float32."""
        return np.asarray(x, np.float32)

    def numpy(self, x: Array) -> Floats:
        """Return an array as it is."""
        return np.asarray(x)

    def predict(self, x: Floats) -> Codes:
        """Return classes, as `Model.predict`."""
        check_inputs(x, self.spec, self.name)
        if self.spec.output != "labels":
            codes: Codes = np.argmax(self.scores(x), axis=1).astype(np.int64)
            return codes
        if not len(x):
            return np.empty(0, np.int64)
        return codes_of(self.raw(x), self.spec, self.name)

    def scores(self, x: Array) -> Array:
        """Return scores, as `Model.scores`, float64.

        Raises:
            ModelError: They do not come, or not as the spec says; the budget would be exceeded.

        """
        if self.spec.output == "labels":
            what = "it gives labels alone, no scores."
            raise ModelError(Problem(self.name, what, "Use an attack by decisions: attack.hop."))
        if not len(x):
            return np.empty((0, self.spec.classes))
        return check_scores(self.raw(x), len(x), self.spec, self.name)

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:  # noqa: ARG002
        """Refuse: an endpoint gives no gradients."""
        hint = "Attack by scores: attack.square."
        raise ModelError(Problem(self.name, "it has no gradients.", hint))

    def fingerprint(self) -> str:
        """Return the digest of its answers to canaries, asked anew, and of its spec.

        It changes where an answer differs from the first by more than 0.0001 of itself. Of a
        stochastic model there is nothing to compare: the digest is that of its spec.
        """
        if self.spec.stochastic:
            return digest_of(self.name, str(self.spec))
        if self.way.cache is not None:
            self._opened()
        found = self._asked_canaries()
        if self._canaries is None or not same(self._canaries, found):
            self._canaries = found
        return digest_of(self._canaries, str(self.spec))

    def predicted(self, queries: int) -> Cost:
        """Return what so many queries will cost, none of which is answered yet."""
        requests = -(-queries // self.way.batch)
        each = self._spent / self._requests if self._requests else None
        slowest = 1 / self.way.rate if self.way.rate else 0.0
        known = each is not None or slowest > 0
        return Cost(queries, requests, requests * max(each or 0.0, slowest) if known else None)

    def raw(self, x: Floats) -> Any:  # noqa: ANN401 - scores, or labels
        """Return its answers to inputs, from what is kept where they are; shapes are unchecked."""
        self.queries += len(x)
        inputs = normalised(np.asarray(x, np.float32), self.spec)
        if self.spec.stochastic:
            # Answers differ: each question is one of its own.
            parts = [self._sent(inputs[some]) for some in batches(len(x), self.way.batch)]
            return np.concatenate(parts)
        kept, keys = self._opened(), [key_of(one) for one in inputs]
        found = kept.found(keys)
        new = {key: place for place, key in enumerate(keys) if key not in found}
        places = np.array([*new.values()], dtype=np.int64)
        for some in batches(len(places), self.way.batch):
            answers = self._sent(inputs[places[some]])
            fresh = dict(zip([*new][some], answers.tolist(), strict=True))
            # What is no number now may be one when it is asked again.
            kept.add({key: one for key, one in fresh.items() if _finite(one)})
            found |= fresh
        return np.array([found[key] for key in keys])

    def _opened(self) -> Kept:
        """Return what is kept of this model: of this address, shape and answers to canaries."""
        if self._kept is None:
            found = self._asked_canaries() if self.way.cache is not None else np.empty(0)
            text = f"{self.name}\n{self.spec.shape}\n{self.spec.mean}\n{self.spec.std}"
            text = f"{text}\n{self.spec.low}\n{self.spec.high}\n{self.spec.output}"
            self._kept = Kept.open(self.way.cache, text, found)
            if self.way.cache is not None:
                self._canaries = self._kept.canaries
        return self._kept

    def _asked_canaries(self) -> Any:  # noqa: ANN401 - scores, or labels
        x = normalised(canaries(self.spec), self.spec)
        self.queries += len(x)
        return np.concatenate([self._sent(x[some]) for some in batches(len(x), self.way.batch)])

    def _sent(self, x: Floats) -> Any:  # noqa: ANN401 - scores, or labels
        """Return the answer to one request, tried again where that may help."""
        body, headers = packed(x, self.way.form)
        headers["User-Agent"] = "evenhand"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = self._http.build_request("POST", self._url, content=body, headers=headers)
        failed, away = "", False
        for pause in (*self.way.pauses, None):
            self._check_budget(len(x))
            self._wait_for_turn()
            before = self._clock()
            try:
                answer = self._http.send(request)
            except httpx2.RequestError as error:
                self.sent += len(x)
                said = "no answer in time" if isinstance(error, httpx2.TimeoutException) else ""
                failed, wait = said or self._redacted(first_line(error)), pause
                away = isinstance(error, httpx2.ConnectError)
            else:
                self._spent += self._clock() - before
                self._requests += 1
                status = answer.status_code
                if status not in _BUSY:
                    self.sent += len(x)
                if status not in _BUSY | _FAILED:
                    return self._read(answer, len(x))
                failed, away = f"it answers with {status}: {self._redacted(answer.text)}", False
                wait = self._asked_wait(answer, pause)
            if pause is None or wait is None:
                break
            self._pause(wait)
        what = f"it fails, {len(self.way.pauses) + 1} times in a row: {failed}"
        if away and not self._requests:
            # Nothing was answered yet that could be kept.
            hint = "Is it running, and is the address right? It must be reachable from here."
            raise UnansweredError(Problem(self.name, what, hint))
        raise UnansweredError(Problem(self.name, what, self._way_on()))

    def _asked_wait(self, answer: httpx2.Response, pause: float | None) -> float | None:
        """Return how long to wait; None where the endpoint asks for longer than anybody waits."""
        said = answer.headers.get("retry-after", "").strip()
        if pause is None or not said:
            return pause
        try:
            asked = float(said)
        except ValueError:
            from email.utils import parsedate_to_datetime

            try:
                asked = parsedate_to_datetime(said).timestamp() - time.time()
            except ValueError:
                return pause
        if not asked <= LONGEST:
            what = f"it is busy, and asks to wait for {asked:g} seconds."
            raise UnansweredError(Problem(self.name, what, self._way_on()))
        return max(pause, asked)

    def _read(self, answer: httpx2.Response, count: int) -> Any:  # noqa: ANN401
        if answer.status_code != httpx2.codes.OK:
            what = f"it answers with {answer.status_code}: {self._redacted(answer.text)}"
            hint = f"Set {self.way.token}." if answer.status_code in {401, 403} else ""
            if hint and self.way.trusted is not None:
                hint += f" A plan's endpoint gets it where {TRUSTED} names its host."
            raise ModelError(Problem(self.name, what, hint))
        labels = self.spec.output == "labels"
        try:
            found = unpacked(answer.content, answer.headers, labels=labels, who=self.name)
        except (ValueError, KeyError, TypeError, EOFError) as error:
            if isinstance(error, ModelError):
                raise
            what = f"its answer cannot be read: {self._redacted(answer.text)}"
            hint = 'Meant is {"scores": [[...], ...]} or {"labels": [...]}.'
            raise ModelError(Problem(self.name, what, hint)) from error
        if len(found) != count:
            what = f"{count} inputs got {len(found)} answers."
            raise ModelError(Problem(self.name, what, "Give one answer for each input, in order."))
        first = self._each = found.shape[1:] if self._each is None else self._each
        if found.shape[1:] != first:
            what = f"each answer has the shape {found.shape[1:]}, and had {first} before."
            raise ModelError(Problem(self.name, what, "Does another model answer in between?"))
        return found

    def _check_budget(self, more: int) -> None:
        most = self.way.max_queries
        if most is not None and self.sent + more > most:
            what = f"{self.sent:,} of {most:,} queries are used, and {more:,} more are needed."
            hint = "Say a larger --max-queries, fewer inputs, or a cheaper attack."
            raise UnansweredError(Problem(self.name, what, f"{hint} {self._way_on()}"))

    def _wait_for_turn(self) -> None:
        if self.way.rate is None:
            return
        now = self._clock()
        if now < self._next:
            self._pause(self._next - now)
        self._next = max(now, self._next) + 1 / self.way.rate

    def _way_on(self) -> str:
        where = self.way.cache
        if where is None:
            return "Name a folder that answers are kept in, and nothing is asked twice."
        return f"What was answered is kept in {where}: start again, and it is not asked twice."

    def _check_secrets(self, user: str | None, query: str) -> None:
        names = [
            name for name, _ in parse_qsl(query) if any(one in name.lower() for one in _SECRET)
        ]
        if user is not None or names:
            what = "a secret stands in its address, which is written into logs."
            hint = f"Put it into the environment: {self.way.token}."
            parts = urlsplit(self.name)
            host = parts.netloc.rpartition("@")[2]
            raise ModelError(Problem(parts._replace(netloc=host).geturl(), what, hint))

    def _redacted(self, text: str) -> str:
        found = text.replace(self._token, "***") if self._token else text
        return " ".join(found[:_SHOWN].split())


def _parts(address: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        ModelError: It is none.

    """
    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        # What stands before an @ or behind a question mark may be a secret.
        shown = address if not {*"@?"} & {*address} else f"{address.partition(':')[0]}://..."
        hint = "Write https://host/path."
        raise ModelError(Problem(f"model '{shown}'", "it is no address of an endpoint.", hint))
    return parts


def _finite(answer: object) -> bool:
    """Return whether an answer holds no number that is NaN or infinite; labels do not."""
    numbers = np.asarray(answer)
    return numbers.dtype.kind != "f" or bool(np.isfinite(numbers).all())
