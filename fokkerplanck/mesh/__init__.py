"""Where: which domain, how large, cut into which cells?

Front door: `recipe.Recipe`, whose `build` makes a `Domain`; `sizing` and `fitting` choose one.
"""
