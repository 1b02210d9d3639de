"""What do mass, stiffness and coupling do to coefficients?

Front door: `gibbs.GibbsOperator`.
"""
