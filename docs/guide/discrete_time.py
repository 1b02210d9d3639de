"""Discrete time, where the deep limit of the expected risk is lost.

The stochastic equations of all depths stay together: with the same Wiener path
``sup_t |θ_t − θ^N_t| → 0``, and expected risks converge at rate 1/N. Gradient descent with Gaussian
noise of its own,

    θ_{k+1} = θ_k − η V_N'(θ_k) + √(2Dη) ξ_k,

is explicit Euler for the same equation, and its iterates, too, converge almost surely as N → ∞.
Their expected risks do not. Take the linear block ``f = θ x``: the network multiplies by
``z_N = (1 + θ/N)^N`` and the Neural ODE by ``z = e^θ``, and

    V_N(θ) = 1 − 2 ρ z_N + z_N² + γ θ².

**Why.** Let θ_0 = 0. One large ξ_0 puts θ_1 = N y far to the *right*. There the slope is about
``2 z_N²/(1 + y) = 2 (1 + y)^{2N−1}``, so one step overshoots to ``θ_2 ≈ −2η (1 + y)^{2N−1}``, far
to the *left*. The Neural ODE does not mind: ``e^{θ_2}`` vanishes there. But a polynomial does:
``z_N(θ_2)² ≈ (2η/N)^{2N} (1 + y)^{2N(2N−1)}``. Weighed with the density of ξ_0, whose exponent is
``−(N y)²/4Dη``,

    E[V_N(θ_2)] ≈ e^{c N² − 2N ln(N/2η)},    c = max_y { 4 ln(1 + y) − y²/4Dη } > 0,

at ``y (1 + y) = 8Dη``, while E[V(θ_2)] stays as it is. Since c ≈ 16 Dη for small η, every learning
rate loses the limit; small ones lose it at larger depths only, where ``8 Dη N > ln(N/2η)``.

**Does one see it?** The integral has its mass where ξ_0 is ``N y/√(2Dη)`` standard deviations off.
At η = 0.1 that is 19 at N = 16: true, and invisible, as no simulation will ever draw it. With steps
of 1/4, a million paths see it at N = 4 (``benchmarks/noisy_sgd.py``). Adaptive steps, as
``fokkerplanck simulate`` takes without a cap, are short where the slope is steep.
"""

import math

from fokkerplanck.simulation.noisy_sgd import NoisySGD

# log10 E[V_N(θ_2)] by quadrature in logarithms, each with its error.
for rate, table in (
    (0.1, {1: -0.19, 4: -0.20, 8: -0.19, 16: 43.9, 32: 290.7, 64: 1431.4, math.inf: -0.18}),
    (0.5, {1: 0.32, 4: 9.2, 8: 49.2, 16: 230.1, 32: 1006.4, 64: 4236.3, math.inf: 2.97}),
):
    for depth, expected in table.items():
        value, error = NoisySGD(rate, depth).log10_expected_risk()
        assert error < 1e-6
        assert abs(value - expected) < 0.06

# The law of the exponent: after the slowly varying factor is taken out, it is c N².
rate, depth = 0.1, 64
steps = NoisySGD(rate, depth)
y = steps.peak * steps.spread / depth
assert abs(y * (1 + y) - 8 * rate) < 1e-12
c = 4 * math.log(1 + y) - y**2 / (4 * rate)
law = c * depth**2 - 2 * depth * math.log(depth * (1 + y) / (2 * rate))
assert abs(steps.log10_expected_risk()[0] * math.log(10) / law - 1) < 0.01

# How far off the noise must be at N = 16: nobody will see it.
assert 18 < NoisySGD(0.1, 16).peak < 19

# The Neural ODE after two steps of 0.1.
assert abs(10 ** NoisySGD(0.1, math.inf).log10_expected_risk()[0] - 0.66) < 0.005
