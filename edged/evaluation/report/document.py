"""HTML built as a tree: every text that comes from outside is escaped when it is written, none is pasted."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from edged.evaluation.report.style import STYLE

# Nothing but the page's own style sheet: no scripts, no fetching, whatever a label may hold.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Document:
    """A page with headings, paragraphs, tables and figures, in the order of the calls."""

    def __init__(self, title: str) -> None:
        """Begin a page called ``title``."""
        self._root = Element("html", {"lang": "en"})
        head = SubElement(self._root, "head")
        SubElement(head, "meta", {"charset": "utf-8"})
        SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
        SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
        SubElement(head, "meta", {"name": "referrer", "content": "no-referrer"})
        SubElement(head, "title").text = title
        SubElement(head, "style").text = STYLE
        self._body = SubElement(SubElement(self._root, "body"), "main")
        self.heading(1, title)

    def heading(self, level: int, text: str) -> None:
        """Add a heading of ``level`` 1..6."""
        SubElement(self._body, f"h{level}").text = text

    def paragraph(self, text: str, kind: str = "") -> None:
        """Add a paragraph; ``kind`` is a class of the style sheet."""
        SubElement(self._body, "p", {"class": kind} if kind else {}).text = text

    def table(
        self, headings: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)
    ) -> None:
        """Add a table; the columns ``texts`` hold words, the others numbers."""
        table = SubElement(SubElement(self._body, "div", {"class": "scroll"}), "table")
        head = SubElement(SubElement(table, "thead"), "tr")
        for column, heading in enumerate(headings):
            SubElement(head, "th", {"scope": "col"} | _kind(column, texts)).text = heading
        body = SubElement(table, "tbody")
        for row in rows:
            line = SubElement(body, "tr")
            for column, cell in enumerate(row):
                SubElement(line, "td", _kind(column, texts)).text = cell

    def figures(self, figures: Iterable[tuple[str, Element]]) -> None:
        """Add (heading, figure) side by side, as many as the width allows."""
        grid = SubElement(self._body, "div", {"class": "charts"})
        for heading, figure in figures:
            cell = SubElement(grid, "section")
            SubElement(cell, "h3").text = heading
            cell.append(figure)

    def figure(self, heading: str, figure: Element) -> None:
        """Add a figure over the whole width."""
        self.heading(3, heading)
        self._body.append(figure)

    def text(self) -> str:
        """Return the page."""
        return "<!DOCTYPE html>\n" + tostring(self._root, encoding="unicode", method="html") + "\n"


def _kind(column: int, texts: Sequence[int]) -> dict[str, str]:
    return {"class": "text"} if column in texts else {}
