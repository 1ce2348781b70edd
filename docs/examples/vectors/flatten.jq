# The losses of a file in one format as lines of words: jq -r --arg format binary32 -f flatten.jq kernel.json
# id, beta, label_smoothing (bits of binary64), four log-probabilities, lowest, highest (bits of the format), zero.
select(.kind == "pair") | .tests[] | select(.formats[$format]) | .formats[$format] as $it |
[.id, .beta.bits, .label_smoothing.bits, $it.inputs[], $it.loss.lowest // "nan", $it.loss.highest // "nan", $it.loss.zero // false]
| map(tostring) | join(" ")
