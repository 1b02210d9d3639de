"""What is asked, and what was answered, in plain numbers and on disk? It runs without DOLFINx.

Front doors: `Study`, which a TOML file becomes, and `results.Table`.
"""

from fokkerplanck.study.errors import StudyError
from fokkerplanck.study.study import Study, shipped_studies

__all__ = ["Study", "StudyError", "shipped_studies"]
