"""Reports of a table: on the terminal, as CSV and JSON files, and as a figure."""

from fokkerplanck.report.figure import draw
from fokkerplanck.report.files import prepare_folder, record, write_results
from fokkerplanck.report.pictures import draw_pictures
from fokkerplanck.report.terminal import show

__all__ = ["draw", "draw_pictures", "prepare_folder", "record", "show", "write_results"]
