"""Bokeh figures from chart specifications. Colours come from the style sheet, in the browser (assets/chart.js)."""

from __future__ import annotations

from typing import Any

from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    CrosshairTool,
    CustomJS,
    CustomJSTicker,
    CustomJSTickFormatter,
    DataRange1d,
    HoverTool,
    Range1d,
)
from bokeh.models.annotations import Span
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from dashboard.widgets.specs import ChartSpec, Line

_LEFT, _FONT = 58, "system-ui, -apple-system, Segoe UI, Roboto, Liberation Sans, Arial, sans-serif"
_HOUR_MS = 3_600_000


def make_chart(spec: ChartSpec, source: ColumnDataSource, times: Range1d, cursor: Span) -> figure:
    """Return a figure named after its specification.

    A dashed line under a solid one: only the final part is drawn solid, so what is provisional shows dashed, with hollow points.
    """
    plot = figure(
        name=spec.name,
        height=spec.height,
        sizing_mode="stretch_width",
        x_range=times,
        y_range=_value_range(spec),
        toolbar_location=None,
        tools="",
        min_border_left=_LEFT,
        min_border_right=8,
        min_border_top=6,
        min_border_bottom=26,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        output_backend="canvas",
    )
    _time_axis(plot)
    _value_axis(plot, spec)
    readable = [_draw(plot, spec, line, source) for line in spec.lines]
    if spec.zero_line:
        plot.add_layout(Span(location=0, dimension="width", line_width=1.5))
    plot.add_tools(CrosshairTool(overlay=cursor))
    hovered = CustomJS(args={"chart": spec.name}, code="window.tower.hover?.(chart, cb_data.geometry.x)")
    plot.add_tools(HoverTool(tooltips=None, mode="vline", renderers=list(readable[:1]), callback=hovered))
    return plot


def _value_range(spec: ChartSpec) -> DataRange1d | Range1d:
    if spec.floor is not None and spec.ceiling is not None:
        return Range1d(start=spec.floor, end=spec.ceiling * 1.02)
    values = DataRange1d(range_padding=0.1, default_span=0.01)
    if spec.floor is not None:
        values.start = spec.floor
    return values


def _time_axis(plot: figure) -> None:
    axis = plot.xaxis[0]
    axis.ticker = CustomJSTicker(major_code="return window.tower.ticks(cb_data)")
    axis.formatter = CustomJSTickFormatter(code="return window.tower.tickText(tick, index, ticks)")
    axis.major_label_text_font = _FONT
    axis.major_label_text_font_size = "12px"
    axis.minor_tick_line_color = None
    axis.major_tick_in = 0
    plot.xgrid[0].grid_line_color = None


def _value_axis(plot: figure, spec: ChartSpec) -> None:
    axis = plot.yaxis[0]
    axis.formatter = CustomJSTickFormatter(args={"style": spec.style}, code="return window.tower.tick(tick, style)")
    axis.ticker = BasicTicker(desired_num_ticks=4)
    axis.major_label_text_font = _FONT
    axis.major_label_text_font_size = "12px"
    axis.axis_line_color = None
    axis.major_tick_line_color = None
    axis.minor_tick_line_color = None


def _draw(plot: figure, spec: ChartSpec, line: Line, source: ColumnDataSource) -> GlyphRenderer[Any]:
    """Draw a line, or bars; return the renderer that carries all its points."""
    if spec.bars:
        bars = plot.vbar("t", 0.8 * _HOUR_MS, line.key, source=source, line_color=None, fill_alpha=0.35)
        _tag(bars, line.slot)
        _tag(plot.vbar("t", 0.8 * _HOUR_MS, f"{line.key}_final", source=source, line_color=None, fill_alpha=0.6), line.slot)
        return bars
    if line.band:
        _tag(plot.varea("t", f"{line.key}_low", f"{line.key}_high", source=source, fill_alpha=0.18), line.slot)
    dashed = plot.line("t", line.key, source=source, line_width=1.5, line_dash=[3, 3])
    _tag(dashed, line.slot)
    _tag(plot.line("t", f"{line.key}_final", source=source, line_width=2), line.slot)
    _tag(plot.scatter("t", line.key, source=source, size=6, line_width=1.5, line_alpha="open", fill_alpha="open"), line.slot, "open")
    return dashed


def _tag(renderer: GlyphRenderer[Any], slot: int, kind: str = "") -> None:
    """Tell the browser which colour of the style sheet the glyph has; `open` is filled with the ground's."""
    renderer.tags = [slot, kind]
