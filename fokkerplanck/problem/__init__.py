"""Which equation, from which p_0, and how finely? Values that check themselves.

Front doors: the families of `initial`, and `annuli.Annuli`.
"""
