"""How does a formula become a compiled kernel?

Front door: `library.kernel`.
"""
