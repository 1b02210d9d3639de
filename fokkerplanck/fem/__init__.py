"""Which functions: elements, Gauss points, maps and values on cells?

Front door: `space.Space`.
"""
