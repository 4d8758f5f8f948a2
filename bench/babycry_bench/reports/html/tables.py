"""Tables that scroll in their own box, with headings that a screen reader can tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], kind: str = ""
) -> str:
    """Nothing where there are no rows.

    Args:
        caption: plain text; read out and shown above.
        headings: plain text; one that begins with ">" stands over numbers.
        rows: cells as finished HTML, from :func:`head`, :func:`cell` or :func:`number`.
        kind: class of the table.
    """
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    if not body:
        return ""
    titles = "".join(
        f'<th scope="col" class="n">{escape(heading[1:])}</th>'
        if heading.startswith(">")
        else f'<th scope="col">{escape(heading)}</th>'
        for heading in headings
    )
    name = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table{name}><caption><span>{escape(caption)}</span></caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def head(html: str) -> str:
    """The cell that names its row."""
    return f'<th scope="row">{html}</th>'


def cell(html: str) -> str:
    """A cell of words."""
    return f"<td>{html}</td>"


def number(html: str) -> str:
    """A cell of figures, to the right."""
    return f'<td class="n">{html}</td>'


def mark(passed: bool | None, yes: str = "pass", no: str = "FAIL", none: str = "skip") -> str:
    """A verdict in a word and a colour; the words are plain text."""
    kind, word = {True: ("ok", yes), False: ("no", no), None: ("skip", none)}[passed]
    return f'<span class="{kind}">{escape(word)}</span>'


def folded(summary: str, html: str) -> str:
    """What is not read at first sight; nothing where there is nothing."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>" if html else ""


def section(name: str, title: str, *parts: str) -> str:
    """A part of the page under its heading; nothing where all of it is empty."""
    content = "".join(parts)
    if not content:
        return ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escape(title)}</h2>{content}</section>'
    )
