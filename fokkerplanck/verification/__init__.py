"""Do the bounds hold?

Front door: `driver.run`, which turns a study into a table.
"""
