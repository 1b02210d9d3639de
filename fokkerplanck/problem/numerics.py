"""Numbers that say how finely is computed."""

#: Steps of a Krylov basis between two looks at the error estimate, and lag of the comparison.
STRIDE = 5

#: Vectors of a complete cycle are held until the next one has so many: errors are estimated from
#: what the last two strides change.
LAG = 2 * STRIDE

#: Fewest vectors that a bounded basis holds.
FEWEST_VECTORS = 2 * LAG
