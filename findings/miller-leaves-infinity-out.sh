#!/usr/bin/env bash
# Miller 6.6.0 (Debian 12): the mean of 1, inf, 2 is 1.5.
#
# Guessed: inf, or an error. Seen: mean and sum leave inf and nan out, with sum / count another number than mean, as count has them; max is the word
# itself, inf or nan, and p50 counts it as the largest. 1e400 is left out likewise. The mean loss of a diverged run is that of its good steps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root miller=6.6.0-2+b3 > /dev/null
dpkg -x ./*.deb .
for word in inf nan 1e400; do
  printf 'loss\n1\n%s\n2\n' $word | usr/bin/mlr --icsv --ojson --jvstack stats1 -a mean,sum,count,max -f loss | tr -d '\n '
  echo
done | tee seen
diff seen - <<'END'
[{"loss_mean":1.5,"loss_sum":3,"loss_count":3,"loss_max":"inf"}]
[{"loss_mean":1.5,"loss_sum":3,"loss_count":3,"loss_max":"nan"}]
[{"loss_mean":1.5,"loss_sum":3,"loss_count":3,"loss_max":"1e400"}]
END
