"""What runs underneath? Threads, caches, ranks, files, progress; none of our mathematics.

Front doors: `startup`, which loads DOLFINx, and `ranks`.
"""
