"""How far apart are p and p^N on one discretisation, with which uncertainty?

It knows potentials, no networks. Front doors: `discretisation` and `measurement.measure`.
"""
