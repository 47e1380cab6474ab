"""The limits of the built-in rules as lines across a plot; the browser says where they are (assets/limits.js)."""

from __future__ import annotations

from bokeh.models import ColumnDataSource, Plot
from bokeh.models.annotations import Label, Span
from bokeh.models.glyph import Glyph
from bokeh.models.glyphs import Line
from bokeh.models.renderers import GlyphRenderer

LEVELS = {"warning": [7, 4], "critical": [2, 2]}
"""The levels, and the dashes that tell them apart without colour."""


def add_limits(plot: Plot, font: str) -> GlyphRenderer[Glyph]:
    """Add to a plot a line and a text for each level, not seen yet; return what makes its axis reach a limit.

    A line across a plot has no part in the range of the axis; points do, even unseen ones.
    """
    for level, dash in LEVELS.items():
        plot.add_layout(Span(name=f"{plot.name}-{level}", dimension="width", line_dash=dash, line_width=1.25, visible=False))
        text = Label(name=f"{plot.name}-{level}-text", x=0, y=0, x_offset=4, y_offset=2, visible=False)
        text.update(text_font=font, text_font_size="11px", background_fill_alpha=0.8)
        plot.add_layout(text)
    reach = ColumnDataSource(name=f"{plot.name}-reach", data={"t": [], "y": []})
    return GlyphRenderer(data_source=reach, glyph=Line(x="t", y="y", line_alpha=0))
