"""A figure as SVG inside a page: no fonts, no foreign markup, colours as CSS variables that can turn dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from dcsim.report.style import DARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KEPT = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"font-family:[^;]*;?\s*")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")


def drawn(draw: Callable[[Axes], object], size_in: tuple[float, float], prefix: str, label: str) -> str:
    """SVG element of what `draw` draws on an Axes of `size_in` inches; its ids begin with `prefix`."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasSVG(figure)
    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        draw(figure.add_subplot())
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inlined(stream.getvalue(), prefix, label)


def variables(colours: dict[str, str]) -> str:
    """CSS declarations of the figures' colours: light name -> colour to show."""
    return "".join(f"{_variable(light)}:{shown};" for light, shown in colours.items())


def _variable(light: str) -> str:
    return f"--f{light[1:]}"


def _inlined(document: bytes, prefix: str, label: str) -> str:
    root = ElementTree.fromstring(document)
    for parent in list(root.iter()):
        for child in list(parent):
            if not child.tag.startswith(_KEPT) or child.tag in (f"{_KEPT}metadata", f"{_KEPT}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_KEPT)
        attributes = {
            ("href" if key == _LINK else key): _attribute(key, value, prefix) for key, value in element.attrib.items()
        }
        element.attrib.clear()
        element.attrib.update({key: value for key, value in attributes.items() if value})
        element.tail = None
        if element.tag != "text":
            element.text = None
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-label": label})
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(key: str, value: str, prefix: str) -> str:
    """One attribute, shortened; ids and references to them carry the prefix, `rotate(-0 ...)` is dropped."""
    if key == "id":
        return f"{prefix}-{value}"
    if key == _LINK:
        return f"#{prefix}-{value.removeprefix('#')}"
    if key == "clip-path":
        return value.replace("url(#", f"url(#{prefix}-")
    if key == "transform" and value.startswith("rotate(-0"):
        return ""
    if key == "style":
        return _COLOUR.sub(lambda found: _themed(found[0]), _FONT.sub("", value)).strip("; ")
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", value).replace("\n", " ").strip()


def _themed(colour: str) -> str:
    return f"var({_variable(colour)})" if colour in DARK else colour
