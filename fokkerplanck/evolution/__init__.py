"""How does ``e^{-tL}`` act?

Front door: `propagator.Propagator`.
"""
