"""Reading pages as a browser and a screen reader would."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "link", "input", "br", "path", "circle", "rect", "use", "img", "hr"}


class Page(HTMLParser):
    """What is on a page: its elements, its texts, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        if self._open:
            self.wrong.append(f"never closed: {self._open}")

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.wrong.append(f"</{tag}> closes {self._open[-1:]}")

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def links(self) -> list[str]:
        """Addresses that a reader can follow, on this site."""
        found = [one.get("href", "") for one in self.all("a")]
        return [one.partition("#")[0] for one in found if one.startswith("/")]

    @property
    def twin(self) -> str | None:
        found = [one["href"] for one in self.all("link") if one.get("rel") == "alternate"]
        return found[0] if found else None

    def faults(self) -> list[str]:
        """What a strict policy, a screen reader or a validator would object to."""
        found = [*self.wrong]
        ids = [attrs["id"] for _, attrs in self.elements if "id" in attrs]
        found += [f"id {one} twice" for one in {*ids} if ids.count(one) > 1]
        for tag, attrs in self.elements:
            found += [f"{name} on {tag}" for name in attrs if name == "style" or name[:2] == "on"]
            if tag == "style" or (tag == "script" and not attrs.get("src", "").startswith("/")):
                found.append(f"inline {tag}")
            for name in ("src", "href", "action"):
                if attrs.get(name, "/")[:1] not in {"/", "#"}:
                    found.append(f"{tag} {name} leads to {attrs[name]}")
            for name in ("aria-labelledby", "for", "list", "aria-describedby"):
                missing = [one for one in attrs.get(name, "").split() if one not in ids]
                found += [f"{name}={one} names nothing" for one in missing]
        labelled = {one.get("for") for one in self.all("label")}
        for one in self.all("input", "select", "textarea"):
            if one.get("type") != "hidden" and one.get("id") not in labelled:
                found.append(f"no label for {one}")
        found += ["no heading"] * (len(self.all("h1")) != 1)
        levels = [int(tag[1]) for tag, _ in self.elements if tag in {"h1", "h2", "h3", "h4"}]
        steps = pairwise(levels)
        found += [f"h{a} before h{b}" for a, b in steps if b > a + 1]
        found += [f"no {tag}" for tag in ("main", "header", "footer", "title") if not self.all(tag)]
        found += ["no language"] * (self.all("html")[0].get("lang") != "en")
        found += ["no caption"] * (len(self.all("table")) != len(self.all("caption")))
        return found
