"""Measured density-error bounds between residual networks and their Neural ODE limit."""

import fokkerplanck._runtime

__version__ = fokkerplanck._runtime.version()
