"""What is the density, and what can be asked of it?

Front doors: `solve.solve` and `density.Density`.
"""
