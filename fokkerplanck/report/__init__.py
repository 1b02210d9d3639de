"""How are results told: on the terminal and in figures?

Front doors: `show`, `draw` and `draw_pictures`.
"""

from fokkerplanck.report.bounds_figure import draw
from fokkerplanck.report.density_figure import draw_pictures
from fokkerplanck.report.terminal import show

__all__ = ["draw", "draw_pictures", "show"]
