"""What do the stochastic equations themselves do, path by path?

Front door: `driver.simulate`.
"""
