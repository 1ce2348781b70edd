#!/usr/bin/env bash
# evalica 0.4.2 on numpy 2.4.6 and pandas 3.1.1, rankings of models by preferences: who never lost is no better than who never won.
#
# Guessed: bradley_terry of a model that won all of its pairs is at a bound, infinite, or an error. Seen: each model has 1e-6: of a above b three
# times both are equal, and of a, who never lost, with b above c twice of three times, all three are: what was known of b and c is gone as well.
# Guessed: newman, the faster iteration for the same model, converges to the same. Seen: of 99 wins of 100 both models have 1.0, after 100 and after
# 100,000 iterations; it swings between two values. bradley_terry has the odds, 99.
# Guessed: eigen ranks first who wins. Seen: of a above b above c above d, nine times of ten each, c is first and a the last. Nothing is raised or
# warned; that result.iterations is the limit is all there is to see.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q evalica==0.4.2 numpy==2.4.6 pandas==3.1.1
cat > "$folder/seen.py" <<'PY'
import warnings

import evalica
from evalica import Winner

warnings.simplefilter("error")


def ranked(method, *pairs, limit=100):
    """Scores of the models, of (winner, loser, how often)."""
    games = [pair[:2] for pair in pairs for _ in range(pair[2])]
    won, lost = zip(*games, strict=True)
    result = getattr(evalica, method)(list(won), list(lost), [Winner.X] * len(games), limit=limit)
    scores = {model: float(score) for model, score in result.scores.items()}
    print(method, limit, pairs, scores, result.iterations)
    return scores, result.iterations


assert ranked("bradley_terry", ("a", "b", 3))[0] == {"a": 1e-6, "b": 1e-6}
assert set(ranked("bradley_terry", ("a", "b", 3), ("a", "c", 1), ("b", "c", 2), ("c", "b", 1))[0].values()) == {1e-6}
odds, _ = ranked("bradley_terry", ("a", "b", 99), ("b", "a", 1))
assert abs(odds["a"] / odds["b"] - 99) < 1e-3
for limit in 100, 100_000:
    assert ranked("newman", ("a", "b", 99), ("b", "a", 1), limit=limit) == ({"a": 1.0, "b": 1.0}, limit)
chain = [pair for u, v in ("ab", "bc", "cd") for pair in ((u, v, 9), (v, u, 1))]
scores, iterations = ranked("eigen", *chain)
assert sorted(scores, key=scores.get)[::3] == ["a", "c"] and iterations == 100
fair, _ = ranked("bradley_terry", *chain)
assert sorted(fair, key=fair.get) == ["d", "c", "b", "a"]
PY
"$folder/venv/bin/python" "$folder/seen.py"
