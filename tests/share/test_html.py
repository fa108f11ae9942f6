"""report.html: readable, self-contained, and deaf to what a stranger wrote: read by a parser and by a browser."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Node
from cortex_grow.share import html
from cortex_grow.share.markup import el, link, raw
from cortex_grow.share.text import visible
from tests.share.reports import HOSTILE, edge, hostile, report, whole
from tools.fetch import NotHereError, browser

ELEMENTS = {"html", "head", "meta", "title", "style", "script", "body", "header", "main", "section", "div", "p"}
ELEMENTS |= {"h1", "h2", "span", "bdi", "dl", "dt", "dd", "details", "summary", "ul", "li", "table", "thead", "tbody"}
ELEMENTS |= {"tr", "th", "td", "a", "label", "input", "select", "option", "output"}


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.inside and self.inside[-1] in ("script", "style") else self.texts).append(data)


def test_the_page_is_of_known_elements_whatever_the_report_holds() -> None:
    page = Page(html.page(hostile(), "now", HOSTILE))
    assert page.inside == []
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert sum(tag == "style" for tag, _ in page.elements) == 1
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"src", "style", "action", "formaction", "srcdoc", "xlink:href"}
    for tag, attributes in page.elements:
        if "href" in attributes:
            assert tag == "a" and re.match(r"#seed\d+$|https://", attributes["href"] or "")
    text = "".join(page.texts)
    for value in HOSTILE[:5]:
        assert visible(value) in text, "shown as it is, as text"
    assert text == "".join(visible(part) if part.strip("\n") else part for part in page.texts), "nothing is hidden"


def test_nothing_of_a_report_stands_in_the_script() -> None:
    assert Page(html.page(hostile())).scripts == Page(html.page(whole())).scripts


def test_the_policy_names_style_and_script_and_nothing_else() -> None:
    page = Page(html.page(whole()))
    policy = next(attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv"))
    assert policy is not None
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'",
        policy,
    )


def test_the_page_shows_what_is_there_and_what_is_missing() -> None:
    text = " ".join("".join(Page(html.page(whole(), "2026-01-01 10:00 UTC", ("Stopped.",))).texts).split())
    for words in (
        "Grown from 2 indicators",
        "2026-01-01 10:00 UTC",
        "Stopped.",
        "203[.]0[.]113[.]66",
        "hxxp://cdn[.]example/load?x=1",
        "malicious +75",
        "2026-01-01 to 2026-01-05 · 3 times · URLhaus, VirusTotal",
        "not followed: too many",
        "1 suppressed as noise",
        "40 of 150 kept",
        "premium only",
        "no key",
        "everyone asks for it",
        "smokeloader",
    ):
        assert words in text


def test_a_large_run_gives_a_page_that_a_browser_opens() -> None:
    seeds = [Indicator("domain", f"s{number}.example") for number in range(2000)]
    nodes, edges = [Node(seed) for seed in seeds], []
    for number, seed in enumerate(seeds):
        for other in range(10):
            far = Indicator("ip", f"10.{number // 250}.{number % 250}.{other}")
            nodes.append(Node(far))
            edges.append(edge(seed.id, "resolves-to", far.id))
    page = html.encoded(report(nodes, edges, seeds))
    assert len(page) < 8_000_000
    assert b"indicators.csv has them all" in page


def test_a_deep_chain_is_no_recursion() -> None:
    nodes = [Node(Indicator("url", f"http://a.example/{number}")) for number in range(3000)]
    ids = [node.indicator.id for node in nodes]
    edges = [edge(one, "redirects-to", two) for one, two in pairwise(ids)]
    assert "what hangs below is left out here" in html.page(report(nodes, edges, [nodes[0].indicator]))


def test_only_what_the_pack_makes_is_markup() -> None:
    assert (
        el("p", "<b>", el("i", "&"), title='"', hidden=True, lang=None)
        == '<p title="&quot;" hidden>&lt;b&gt;<i>&amp;</i></p>'
    )
    assert link("x", "javascript:alert(1)") == "x" and link("x", "http://example.org") == "x"
    assert str(link("x", "https://example.org/")).startswith('<a href="https://example.org/"')
    with pytest.raises(ValueError, match="ends itself"):
        raw("script", "x = '</SCRIPT>'")


def rendered(path: Path) -> str:
    """The page after Chromium has run it."""
    try:
        program = browser()
    except NotHereError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=3000",
            f"--user-data-dir={path.parent / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.mark.browser
def test_hostile_values_do_not_run_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / html.NAME
    html.write(hostile(), path)
    content = rendered(path)
    seen = Page(content)
    assert "<title>Grown from 2 indicators</title>" in content, "no script set another title"
    assert not {tag for tag, _ in seen.elements} - ELEMENTS
    assert f"{len(HOSTILE)} shown" in "".join(seen.texts), "the page's own script ran"


@pytest.mark.browser
def test_a_policy_that_a_browser_keeps_runs_the_page_and_nothing_planted(tmp_path: Path) -> None:
    """The policy itself: a script planted behind every escape does not run, while the page's own does."""
    path = tmp_path / html.NAME
    page = html.page(whole()).replace("</main>", "</main><script>document.title='executed'</script>")
    path.write_text(page.replace("</h1>", "<img src=x onerror=\"document.title='executed'\"></h1>"))
    seen = rendered(path)
    assert "<title>Grown from 2 indicators</title>" in seen
    assert "5 shown" in seen


@pytest.mark.browser
def test_the_filter_filters(tmp_path: Path) -> None:
    path = tmp_path / html.NAME
    page = html.page(whole())
    script = re.search(r"<script>(.*)</script>", page, re.S)
    assert script
    driven = script[1] + (
        "const box = document.getElementById('filter'); box.value = 'HTTP://cdn.example load';"
        "box.dispatchEvent(new Event('input'));"
    )
    page = page.replace(script[1], driven).replace(html._digest(script[1]), html._digest(driven))
    path.write_text(page)
    assert "2 shown" in rendered(path), "the URL, and the file that it stands above"
