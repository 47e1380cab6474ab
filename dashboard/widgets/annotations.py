"""Annotations on a plot: a strip for a span, a line for its beginning or for a moment.

All plots draw them from one source, which the browser fills (assets/annotations.js): a session's document has none.
"""

from __future__ import annotations

from bokeh.models import ColumnDataSource
from bokeh.models.glyph import Glyph
from bokeh.models.glyphs import VSpan, VStrip
from bokeh.models.renderers import DataRenderer, GlyphRenderer

TAG = "annotation"


def annotation_source() -> ColumnDataSource:
    """Return the source: start and end in epoch ms, and the colour of the kind."""
    return ColumnDataSource(name="annotations", data={"start": [], "end": [], "color": []})


def annotation_renderers(source: ColumnDataSource) -> list[DataRenderer]:
    """Return what a plot draws of them, beneath its lines."""
    strip = VStrip(x0="start", x1="end", fill_color={"field": "color"}, fill_alpha=0.13, line_color=None)
    line = VSpan(x="start", line_color={"field": "color"}, line_width=1.5)
    return [_renderer(source, strip), _renderer(source, line)]


def _renderer(source: ColumnDataSource, glyph: Glyph) -> GlyphRenderer[Glyph]:
    return GlyphRenderer(
        data_source=source,
        glyph=glyph,
        level="underlay",
        tags=[TAG],
        selection_glyph=None,
        nonselection_glyph=None,
        muted_glyph=None,
        hover_glyph=None,
    )
