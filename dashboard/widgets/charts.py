"""Bokeh plots from chart specifications.

They are the same for all pages, so they are made once, as a document of their own, and each browser fills them from its session's
live sources (assets/drawn.js): a session's own document has no plot, and the server's loop spends nothing on them when a page opens.
Colours come from the style sheet, and time ranges from the clock, in the browser too.
"""

from __future__ import annotations

from functools import cache

import msgspec
from bokeh.document import Document
from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    CrosshairTool,
    CustomJS,
    CustomJSTicker,
    CustomJSTickFormatter,
    CustomJSTransform,
    DataRange1d,
    FixedTicker,
    Grid,
    HoverTool,
    LinearAxis,
    Plot,
    Range1d,
    Ticker,
    TickFormatter,
)
from bokeh.models.annotations import Span
from bokeh.models.glyph import Glyph
from bokeh.models.glyphs import Line as LineGlyph
from bokeh.models.glyphs import Scatter, VArea, VBar
from bokeh.models.renderers import DataRenderer, GlyphRenderer
from bokeh.transform import dodge, transform

from dashboard.widgets.annotations import annotation_renderers, annotation_source
from dashboard.widgets.limits import add_limits
from dashboard.widgets.specs import CHARTS, MINUTE, MULTIPLES, ChartSpec, Line

_LEFT, _NAMES, _FONT = 62, 160, "system-ui, -apple-system, Segoe UI, Roboto, Liberation Sans, Arial, sans-serif"
_HOUR_MS = 3_600_000
_FAN_ALPHAS = (0.42, 0.28, 0.16)
_DAY_MS = 24 * _HOUR_MS
_LEAST_PADDING = {"score": 0.02, "points": 0.002}
"""Half of the smallest span of an axis that does not begin at zero, so that noise does not look like a cliff."""


@cache
def plots_json() -> bytes:
    """Return Bokeh's JSON of a document of all plots, named as their charts; each has a source of its own, still empty."""
    doc = Document()
    doc.config.update(notifications=None)
    for plot in _Plots().made:
        doc.add_root(plot)
    return msgspec.json.encode(doc.to_json(deferred=False))


class _Plots:
    """The plots of a model's page; they share the cursor and the time axis."""

    def __init__(self) -> None:
        self._time = Range1d(name="time", start=0, end=_DAY_MS)
        self._cursor = Span(dimension="height", line_dash=[2, 2], line_width=1)
        self._shared = Range1d(name="multiples", start=0, end=1)
        self._time_ticker = CustomJSTicker(major_code="return window.tower.ticks(cb_data)")
        self._few_ticker = CustomJSTicker(major_code="return window.tower.ticks(cb_data, 3)")
        self._time_formatter = CustomJSTickFormatter(code="return window.tower.tickText(tick, index, ticks)")
        self._annotations = annotation_source()
        self.made = [self._make(spec) for spec in CHARTS]

    def _make(self, spec: ChartSpec) -> Plot:
        """Return a plot named after its specification.

        A dashed line under a solid one: only the final part is drawn solid, so what is provisional shows dashed, with hollow points.
        """
        plot = Plot(
            name=spec.name,
            height=spec.height,
            sizing_mode="stretch_width",
            x_range=self._time,
            y_range=self._shared if spec.name in MULTIPLES else _value_range(spec),
            window_axis="x",
            toolbar_location=None,
            min_border_left=_LEFT if spec.shares or not spec.heat else _NAMES,
            min_border_right=8,
            min_border_top=6,
            min_border_bottom=26,
            background_fill_color=None,
            border_fill_color=None,
            outline_line_color=None,
        )
        plot.add_layout(_axis(self._few_ticker if spec.name in MULTIPLES else self._time_ticker, self._time_formatter), "below")
        if spec.shares:
            plot.add_layout(
                _axis(FixedTicker(ticks=[]), CustomJSTickFormatter(args={"texts": []}, code="return texts[tick] ?? ''")), "left"
            )
        elif not spec.heat:
            _add_values(plot, spec)
        source = ColumnDataSource(name=f"{spec.name}-drawn")
        drawn = [renderer for line in spec.lines for renderer in self._draw(spec, line, source)]
        if spec.fan:
            drawn = [*self._fan(spec, source), *drawn]
        if spec.zero_line:
            plot.add_layout(Span(location=0, dimension="width", line_width=1.5))
            # A line has no part in the range of the axis; points do, even unseen ones.
            drawn.append(_renderer(source, LineGlyph(x="t", y="zero", line_alpha=0), 1))
        if spec.judged:
            drawn.append(add_limits(plot, _FONT))
        plot.update(renderers=drawn)
        plot.renderers.extend(annotation_renderers(self._annotations))
        main: list[DataRenderer] = [renderer for renderer in drawn if renderer.tags[-1:] in (["main"], ["heat"])]
        if isinstance(plot.y_range, DataRange1d):
            # Not the bands: those of a quiet hour would make all lines flat.
            plot.y_range.update(renderers=[renderer for renderer in drawn if "band" not in renderer.tags])
        hovered = CustomJS(args={"chart": spec.name}, code="window.tower.hover?.(chart, cb_data.geometry.x)")
        hover = HoverTool(tooltips=None, mode="vline", renderers=main[:1], callback=hovered)
        plot.add_tools(CrosshairTool(overlay=self._cursor), hover, BoxZoomTool(dimensions="width"))
        return plot

    def _draw(self, spec: ChartSpec, line: Line, source: ColumnDataSource) -> list[GlyphRenderer[Glyph]]:
        if spec.heat:
            shades = CustomJSTransform(args={"chart": spec.name}, v_func="return window.tower.shades(chart, xs)")
            row, shade = spec.lines.index(line), transform(line.key, shades)
            cells = VBar(x="t", width=_HOUR_MS, bottom=row + 0.05, top=row + 0.95, fill_color=shade, fill_alpha="solid", line_color=None)
            return [_renderer(source, cells, line.slot, "heat")]
        final = f"{line.key}_final"
        if spec.bars:
            tops = ((line.key, 0.35, "main"), (final, 0.6, ""))
            width = 0.8 * _HOUR_MS / len(spec.lines)
            x = dodge("t", (spec.lines.index(line) - (len(spec.lines) - 1) / 2) * width)
            bars = [(VBar(x=x, width=width, top=top, fill_alpha=alpha, line_color=None), kind) for top, alpha, kind in tops]
            return [_renderer(source, bar, line.slot, kind) for bar, kind in bars]
        if spec.fan and line not in (spec.lines[0], spec.lines[-1]):
            return [_renderer(source, LineGlyph(x="t", y=line.key, line_alpha=0.35), line.slot)]
        width = 1.25 if spec.source == MINUTE else 2
        glyphs = [
            _renderer(source, LineGlyph(x="t", y=line.key, line_width=1.5, line_dash=[3, 3]), line.slot, "main"),
            _renderer(source, LineGlyph(x="t", y=final, line_width=width), line.slot),
            _renderer(source, Scatter(x="t", y=line.key, size=6, line_width=1.5, line_alpha="open", fill_alpha="open"), line.slot, "open"),
        ]
        if line.band:
            band = VArea(x="t", y1=f"{line.key}_low", y2=f"{line.key}_high", fill_alpha=0.18)
            glyphs.insert(0, _renderer(source, band, line.slot, "band"))
        return glyphs

    def _fan(self, spec: ChartSpec, source: ColumnDataSource) -> list[GlyphRenderer[Glyph]]:
        """Return the areas between the lines, the darker the more they hold."""
        pairs = zip(spec.lines[:-1], spec.lines[1:], _FAN_ALPHAS, strict=True)
        areas = [(VArea(x="t", y1=f"{low.key}_edge", y2=f"{high.key}_edge", fill_alpha=alpha), low) for low, high, alpha in pairs]
        return [_renderer(source, area, line.slot, "band") for area, line in areas]


def _renderer(source: ColumnDataSource, glyph: Glyph, slot: int, kind: str = "") -> GlyphRenderer[Glyph]:
    """Wrap a glyph; the tags tell the browser which colour of the style sheet it has, and `open` that it is filled as the ground."""
    return GlyphRenderer(
        data_source=source,
        glyph=glyph,
        tags=[slot, kind],
        selection_glyph=None,
        nonselection_glyph=None,
        muted_glyph=None,
        hover_glyph=None,
    )


def _add_values(plot: Plot, spec: ChartSpec) -> None:
    """Give a plot its axis of values and its grid."""
    ticker = FixedTicker(ticks=[spec.floor or 0, 0.5 * spec.ceiling, spec.ceiling]) if spec.ceiling else BasicTicker(desired_num_ticks=4)
    formatter = CustomJSTickFormatter(args={"style": spec.style}, code="return window.tower.tick(tick, style)")
    values = _axis(ticker, formatter)
    values.update(axis_line_color=None, major_tick_line_color=None)
    plot.add_layout(values, "left")
    plot.add_layout(Grid(dimension=1, ticker=ticker))


def _axis(ticker: Ticker, formatter: TickFormatter) -> LinearAxis:
    axis = LinearAxis()
    axis.update(ticker=ticker, formatter=formatter)
    axis.update(major_label_text_font=_FONT, major_label_text_font_size="12px", minor_tick_line_color=None, major_tick_in=0)
    return axis


def _value_range(spec: ChartSpec) -> DataRange1d | Range1d:
    if spec.heat:
        return Range1d(start=len(spec.lines), end=0)
    if spec.floor is not None and spec.ceiling is not None:
        return Range1d(start=spec.floor, end=spec.ceiling * 1.02)
    values = DataRange1d(range_padding=0.1, default_span=0.01, only_visible=True)
    if spec.style in _LEAST_PADDING and spec.floor is None:
        values.range_padding_units = "absolute"
        values.range_padding = _LEAST_PADDING[spec.style]
    if spec.floor is not None:
        values.start = spec.floor
    return values
