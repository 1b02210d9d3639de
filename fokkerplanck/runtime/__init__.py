"""What runs underneath: threads, caches, ranks, progress, provenance; none of our mathematics.

Front doors: `startup`, which loads DOLFINx, and `ranks`.
"""
