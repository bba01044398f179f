"""Pictures of charts, drawn without a browser, and the program that draws them inside one."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

INSTALL = "pip install 'evenhand[report]'"

_NAMESPACE = "http://www.w3.org/2000/svg"
_MARGIN = 8
_NEEDLESS = ("role", "class", "pointer-events", "aria-hidden", "aria-roledescription")


def can_draw() -> bool:
    """Return whether the extra that draws charts is installed."""
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        return False
    return True


@functools.lru_cache(maxsize=512)
def _drawn(spec: str) -> str:
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec))


def svg(spec: Mapping[str, Any]) -> str:
    """Return the picture of a chart as an SVG element that scales to its place.

    It is parsed and written again: what is not well-formed never reaches a page, and attributes
    that say nothing are left out.
    """
    ElementTree.register_namespace("", _NAMESPACE)
    # The renderer's own output, whose texts it has escaped.
    root = ElementTree.fromstring(_drawn(json.dumps(spec)))  # noqa: S314
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    for element in root.iter():
        for name in _NEEDLESS:
            element.attrib.pop(name, None)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("path") and child.get("display") == "none":
                parent.remove(child)
    # A little room beside the labels, for fonts that are wider than the one measured.
    root.set("viewBox", f"-{_MARGIN} 0 {float(width) + _MARGIN:g} {height}")
    root.set("width", f"{float(width) + _MARGIN:g}")
    root.set("height", height)
    return ElementTree.tostring(root, encoding="unicode")


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
