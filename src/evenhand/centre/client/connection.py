"""A connection to a centre: requests that are repeated where that is harmless, lists as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel

import evenhand
from evenhand.centre.client.address import Address
from evenhand.centre.client.answer import AWAY, away, check, read
from evenhand.centre.protocol import PREFIX, Page
from evenhand.errors import UnreachableError

Read = TypeVar("Read")
Item = TypeVar("Item", bound=BaseModel)

PAUSES = (0.3, 1.2)
"""Seconds before what went wrong is tried again."""

LONGEST_PAUSE = 5.0
"""Seconds that a centre may ask for in between."""

CONNECT_SECONDS = 5.0
"""A centre that is there takes a call at once, however long the answer takes."""

_MOST = 200


@dataclass(frozen=True)
class Connection:
    """How requests reach a centre.

    Attributes:
        address: The centre.
        http: What carries them.
        pause: Waits some seconds.

    """

    address: Address
    http: httpx2.Client
    pause: Callable[[float], None] = time.sleep

    def send(
        self,
        method: str,
        path: str,
        *,
        again: bool,
        params: Mapping[str, str | int | None] | None = None,
        body: BaseModel | bytes | None = None,
    ) -> httpx2.Response:
        """Return the answer to a request.

        Args:
            method: The method.
            path: What is asked for, under the prefix of the API.
            again: Whether it may be sent twice: the second time changes nothing.
            params: Parameters; those that are None are left out.
            body: What is sent.

        Raises:
            UnreachableError: The centre is away.
            EvenhandError: What else the answer says, as `answer.check`.

        """
        request = self.http.build_request(
            method,
            f"{self.address.url}{PREFIX}{path}",
            params={key: value for key, value in (params or {}).items() if value is not None},
            content=body.model_dump_json().encode() if isinstance(body, BaseModel) else body,
            headers=self._headers(body),
        )
        for pause in (*PAUSES, None):
            wait = pause
            try:
                answer = self.http.send(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                # Nothing was sent yet.
                failed = away(error, str(request.url))
            except httpx2.RequestError as error:
                failed = away(error, str(request.url))
                wait = pause if again else None
            else:
                try:
                    check(answer)
                except UnreachableError as error:
                    failed = error
                    wait = _asked(answer, pause) if again else None
                else:
                    return answer
            if wait is None:
                break
            self.pause(wait)
        raise failed

    def read(
        self,
        kind: type[Read],
        method: str,
        path: str,
        *,
        again: bool = True,
        **how: Any,  # noqa: ANN401 - of `send`
    ) -> Read:
        """Return the document that answers a request; as `send`."""
        return read(kind, self.send(method, path, again=again, **how))

    def pages(self, item: type[Item], path: str, **params: str | int | None) -> Iterator[Item]:
        """Yield every item of a list, part after part."""
        after: str | None = None
        while True:
            page = self.read(
                Page[item],  # type: ignore[valid-type]
                "GET",
                path,
                params={**params, "limit": _MOST, "after": after},
            )
            yield from page.items
            if page.next is None or page.next == after:
                return
            after = page.next

    def _headers(self, body: BaseModel | bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"evenhand/{evenhand.__version__}"}
        if body is not None:
            kind = "application/zip" if isinstance(body, bytes) else "application/json"
            headers["Content-Type"] = kind
        if self.address.token is not None:
            headers["Authorization"] = f"Bearer {self.address.token}"
        return headers


def _asked(answer: httpx2.Response, pause: float | None) -> float | None:
    """Return how long to wait: what the centre asks for, where that is not long."""
    said = answer.headers.get("retry-after", "")
    if pause is None or answer.status_code not in AWAY or not said.isdecimal():
        return pause
    return max(pause, min(float(said), LONGEST_PAUSE))


def connected(
    address: Address, *, timeout: float, transport: httpx2.BaseTransport | None = None
) -> Connection:
    """Return a connection to a centre.

    Args:
        address: The centre.
        timeout: Seconds that an answer may take.
        transport: What carries requests; None for the network.

    """
    http = httpx2.Client(
        timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        follow_redirects=False,
        # What is meant for this machine goes through no proxy that the environment names.
        trust_env=not address.local,
        transport=transport,
    )
    return Connection(address, http)
