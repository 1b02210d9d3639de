"""How is that integrated which no Gauss rule sees: the edge of p_0, a change of sign, a section?

Front doors: `load.initial_load`, `norms.weighted_l1` and `section_rules.section_rule`.
"""
