"""Pictures of charts, drawn without a browser, and the program that draws them inside one."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from evenhand.render.dots import dots

INSTALL = "pip install 'evenhand[report]'"

_NAMESPACE = "http://www.w3.org/2000/svg"
_MARGIN = 8
_NEEDLESS = (
    *("role", "class", "pointer-events", "aria-hidden", "aria-roledescription"),
    # Said once, at the root.
    "font-family",
)
_USUAL = {"opacity": "1", "stroke-width": "1", "font-weight": "normal"}
"""Attributes that change nothing at these values."""
_NOTHING = {"", "M0,0h0v0h0Z"}
"""Paths that draw nothing."""


def can_draw() -> bool:
    """Return whether the extra that draws charts is installed."""
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        return False
    return True


def draw(spec: str) -> str:
    """Return the picture of a chart, as the renderer draws it in this process."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec))


_by: Callable[[str], str] = draw


def draw_by(other: Callable[[str], str]) -> None:
    """Let something else draw from now on.

    While the renderer draws, no other thread of its process runs: where many are served, it stands
    in a process of its own.
    """
    global _by  # noqa: PLW0603 - one renderer in a process
    _by = other


@functools.lru_cache(maxsize=512)
def _drawn(spec: str) -> str:
    return _by(spec)


def svg(spec: Mapping[str, Any]) -> str:
    """Return the picture of a chart as an SVG element that scales to its place.

    It is parsed and written again: what is not well-formed never reaches a page, and attributes
    that say nothing are left out.
    """
    own = dots(spec)
    if own is not None:
        return own
    ET.register_namespace("", _NAMESPACE)
    # The renderer's own output, whose texts it has escaped.
    root = ET.fromstring(_drawn(json.dumps(spec)))  # noqa: S314
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    for element in list(root.iter()):
        for name in _NEEDLESS:
            element.attrib.pop(name, None)
        for name, value in _USUAL.items():
            if element.get(name) == value:
                del element.attrib[name]
        for child in list(element):
            if child.get("d") in _NOTHING or child.get("display") == "none":
                element.remove(child)
    root.set("font-family", str(spec["config"]["font"]))
    # A little room beside the labels, for fonts that are wider than the one measured.
    root.set("viewBox", f"-{_MARGIN} 0 {float(width) + _MARGIN:g} {height}")
    root.set("width", f"{float(width) + _MARGIN:g}")
    root.set("height", height)
    return ET.tostring(root, encoding="unicode")


@functools.lru_cache(maxsize=2)
def program(snippet: str) -> str:
    """Return a JavaScript program with the snippet and all that it needs of Vega, for offline use.

    Args:
        snippet: JavaScript that uses ``vegaEmbed``.

    """
    import vl_convert

    code = str(vl_convert.javascript_bundle(snippet))
    # The end of the element must not be found inside the program.
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")
