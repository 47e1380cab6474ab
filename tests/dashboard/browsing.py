"""A browser's visits: what a page asked for, what it complained of, and what its charts hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.dashboard.serving import Server

DESKTOP_WIDTH, PHONE_WIDTH = 1440, 390


@dataclass
class Visitor:
    """Pages of one browser context, all watched."""

    context: BrowserContext
    server: Server
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def open(self, *, ready: bool = True, **query: str) -> Page:
        """Open the fleet's page, or with `model=...` that of a model."""
        page = self.context.new_page()
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda socket: self.hosts.add(urlsplit(socket.url).netloc))
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(self.server.page(**query))
        if ready:
            wait_ready(page)
        return page

    def note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def check(self) -> None:
        assert self.complaints == []
        assert self.hosts <= {urlsplit(self.server.url).netloc}


def wait_ready(page: Page) -> None:
    """Wait until the page has its data and its charts have been painted."""
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    wait_loaded(page)


def wait_loaded(page: Page) -> None:
    """Wait until what was picked is there and painted."""
    drawn = "each.roots().every((plot) => Bokeh.index.find_one(plot)?.has_finished() ?? true)"  # small multiples wait until they are wanted
    idle = f"Bokeh.documents.every((each) => each.is_idle || (each === tower.plots && {drawn}))"
    wait_for(page, f"document.documentElement.dataset.loading !== 'yes' && {idle}")


def wait_for(page: Page, condition: str, arg: object = None) -> None:
    """Wait for a condition in the page; asked by the clock, since a page behind another one paints nothing, and has no frames to ask in."""
    page.wait_for_function(condition, arg=arg, polling=20)


def barriers(page: Page) -> list[str]:
    """Return what axe-core finds seriously inaccessible on a page, one line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


DRAWN = """(name) => {
    const { live, plots } = tower;
    const charts = JSON.parse(document.getElementById("charts").textContent).filter(({ sources }) => sources[0] === name);
    const drawn = [];
    for (const chart of charts) {
        const plot = plots.get_model_by_name(chart.name);
        for (const renderer of Bokeh.index.find_one(plot)?.renderer_views.values() ?? []) {
            const { glyph, model } = renderer, hidden = document.getElementById(`card-${chart.name}`).hidden;
            if (hidden || model.data_source?.name !== `${chart.name}-drawn` || glyph.model.type !== "Line") continue;
            drawn.push([glyph.data_size > 0, Array.from(glyph.x).at(-1)]);
        }
    }
    const data = live.get_model_by_name(name).data;
    return [Array.from(data instanceof Map ? data.get("t") : data.t).at(-1), drawn];
}"""
"""Of a source: its last time, and of each line that is drawn of it whether it has any point, and its last time."""


def is_drawn(page: Page, source: str) -> bool:
    """Say whether all lines of a source are drawn up to its newest row."""
    last, lines = page.evaluate(DRAWN, source)
    return bool(lines) and all([True, last] == line for line in lines)


def column(page: Page, source: str, name: str) -> list[float | None]:
    """Return a column of a chart's source as the browser has it; None for what is missing."""
    script = """([source, name]) => {
        const data = tower.live.get_model_by_name(source).data;
        const values = (data instanceof Map ? data.get(name) : data[name]) ?? [];
        return Array.from(values, (value) => (Number.isFinite(value) ? value : null));
    }"""
    values: list[float | None] = page.evaluate(script, [source, name])
    return values


IN_PAGE = """async ([name, code, given]) => {
    const script = document.querySelector("script[type=module]").src.replace(/[^/]+$/, name);
    return new Function("module", "given", code)(await import(script), given);
}"""
"""Runs code with one of the page's own modules."""


def drawn(page: Page, chart: str, name: str) -> list[float]:
    """Return a column of what a chart draws, without what is missing."""
    script = """([chart, name]) => tower.plots.get_model_by_name(`${chart}-drawn`).data[name]
        .map((each) => (isFinite(each) ? each : null))"""
    values: list[float | None] = page.evaluate(script, [chart, name])
    return [value for value in values if value is not None]
