"""One line for whatever is wrong with a study."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from fokkerplanck.runtime.tables import describe
from fokkerplanck.runtime.wording import brief
from fokkerplanck.study.sections import DATA_FORMS


class StudyError(ValueError):
    """A study asks for what cannot be done; the message is one line."""


@contextmanager
def blame(section: str = "") -> Iterator[None]:
    """Turn a `ValueError` of the body into a `StudyError` that names the section, if any."""
    try:
        yield
    except ValidationError as error:
        raise StudyError(brief(describe(error, DATA_FORMS))) from error
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(brief(f"[{section}] {error}" if section else error)) from error
