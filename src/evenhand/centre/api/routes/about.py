"""What the centre is."""

from __future__ import annotations

from fastapi import APIRouter

import evenhand
from evenhand.centre.api.access import Insider, Settings
from evenhand.centre.api.ask import Here
from evenhand.centre.key import public_pem
from evenhand.centre.protocol import About
from evenhand.centre.store.tokens import RIGHTS

router = APIRouter(tags=["about"])


@router.get("/")
def about(centre: Here, access: Settings, principal: Insider) -> About:
    """Say what the centre is, by which key it signs, and who asks."""
    return About(
        evenhand=evenhand.__version__,
        key=public_pem(centre.key),
        auth=access.auth,
        person=principal.person,
        rights=[one for one in RIGHTS if one in principal.rights],
        product=principal.product,
        time=centre.clock(),
    )
