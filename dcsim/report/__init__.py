"""Figures, the one-file HTML report and the terminal table of a finished run.

Importing it loads neither matplotlib nor jinja2 nor rich.
"""

from dcsim.report.html import page, write_html
from dcsim.report.plots import Plots
from dcsim.report.terminal import summary_table

__all__ = ["Plots", "page", "summary_table", "write_html"]
