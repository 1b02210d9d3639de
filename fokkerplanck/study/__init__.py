"""Studies: TOML files that say what is verified, and the checked values that they become."""

from fokkerplanck.study.messages import StudyError
from fokkerplanck.study.study import Study, shipped_studies

__all__ = ["Study", "StudyError", "shipped_studies"]
