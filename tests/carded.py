"""The quality card of one explanation, as a probe makes it."""

from __future__ import annotations

import numpy as np

from evenhand.probes.attributing import Attributing
from evenhand.probes.card.card import COLUMNS, Card


def carding(by, **card):
    """The method that explains by one attribution and judges it by one card."""
    return Attributing(str(by), (by,), (Card(**card),))


def carded(by, model, inputs, codes, **card):
    """The columns of the card, NaN where there is no number, and the maps."""
    method = carding(by, **card)
    (only,) = method.passes
    rows = method.rows(model, inputs, only, labels=codes, prediction=codes, seed=0)
    columns = {name: rows.table[name].fill_null(np.nan).to_numpy() for name in COLUMNS}
    return columns, rows.maps
