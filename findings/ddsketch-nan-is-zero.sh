#!/usr/bin/env bash
# ddsketch 3.0.1, datasketches 5.2.0, prometheus-client 0.26.0 on numpy 2.4.6: a NaN among the losses that a service reports.
#
# Guessed: a sketch refuses NaN, drops it or gives NaN. Seen: DDSketch counts it as 0, so that of 1, NaN, 2 the least is 0 and the median 0.99 (1):
# a diverged run has the best loss. The average is NaN; an infinity raises. The sketches of datasketches drop a NaN, and n is 2.
# Guessed: a histogram counts each observation, and only the sum is NaN. Seen in prometheus-client: a NaN is in no bucket, "+Inf" included, and as the
# count is that of the buckets, not in the count; a Summary of the same counts it. So rate(count) of the two differ, and sum / count is NaN for
# ever, while each quantile is well.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ddsketch==3.0.1 datasketches==5.2.0 prometheus-client==0.26.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

from datasketches import kll_doubles_sketch
from ddsketch import DDSketch
from prometheus_client import CollectorRegistry, Histogram, Summary

registry = CollectorRegistry()
histogram, summary = Histogram("loss", "a loss", buckets=(1, math.inf), registry=registry), Summary("same", "a loss", registry=registry)
sketch, kll = DDSketch(), kll_doubles_sketch()
for loss in 1.0, math.nan, 2.0:
    sketch.add(loss)
    kll.update(loss)
    histogram.observe(loss)
    summary.observe(loss)
quantiles = [sketch.get_quantile_value(q) for q in (0, 0.5, 1)]
print(quantiles, sketch.count, sketch.avg, kll.n, kll.get_quantile(0))
assert quantiles[0] == 0 and abs(quantiles[1] - 1) < 0.02 and sketch.count == 3 and math.isnan(sketch.avg)
assert kll.n == 2 and kll.get_quantile(0) == 1
seen = [registry.get_sample_value(*name) for name in (("loss_bucket", {"le": "+Inf"}), ("loss_count",), ("same_count",), ("loss_sum",))]
print(seen)
assert seen[:3] == [2, 2, 3] and math.isnan(seen[3])
PY
"$folder/venv/bin/python" "$folder/seen.py"
