"""What a server logs: lines for people, or JSON documents for whatever collects them.

A line names the route, who asked and the number of the request; never what stands behind the
question mark of an address, a header or a body, where tokens travel.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import logging.config
import os
from typing import Literal

from evenhand.centre.operations.observer import Seen, current

Form = Literal["text", "json"]

_REQUESTS = logging.getLogger("evenhand.requests")

_EXTRA = ("method", "path", "route", "status", "milliseconds", "person")
"""What the record of a request brings along."""


class AsJson(logging.Formatter):
    """One JSON document a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        document: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": os.getpid(),
        }
        number = getattr(record, "request", None) or current.get()
        if number is not None:
            document["request"] = number
        document |= {name: vars(record)[name] for name in _EXTRA if name in vars(record)}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


def configure(form: Form) -> None:
    """Log to standard error: people are told what goes wrong, programs of every request too."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {"()": AsJson},
                "text": {"format": "%(asctime)s %(levelname)s %(message)s"},
            },
            "handlers": {"error": {"class": "logging.StreamHandler", "formatter": form}},
            "root": {"handlers": ["error"], "level": "WARNING"},
            "loggers": {"evenhand.requests": {"level": "INFO" if form == "json" else "WARNING"}},
        }
    )


def tell(seen: Seen, route: str) -> None:
    """Log a request that was answered.

    Args:
        seen: The request.
        route: The template of its route.

    """
    if not _REQUESTS.isEnabledFor(logging.INFO):
        return
    principal, path = seen.scope.get("state", {}).get("principal"), seen.scope["path"]
    _REQUESTS.info(
        "%s %s %s",
        seen.method,
        path,
        seen.status,
        extra={
            "request": seen.number,
            "method": seen.method,
            "path": path,
            "route": route,
            "status": seen.status,
            "milliseconds": round(1000 * seen.seconds, 1),
            "person": getattr(principal, "person", None),
        },
    )
