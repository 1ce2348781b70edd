#!/usr/bin/env bash
# SQLite 3.54.1 (as sql.js 1.17.0, npm): how words for infinity and NaN enter a mean.
#
# Guessed: a text that is no number is left out of avg, as NULL is, or 'inf' and 'nan' are numbers, as 9e999 is. Seen: each counts as 0: of 0.5,
# '0.25', 'nan', NULL and 'inf' the mean is 0.1875, the maximum is 'nan', the minimum is 0.5, and `loss < 1` finds one line; cast('inf' as real) is
# 0. A NaN bound as a number is NULL, and left out. A diverged run has the lower mean, by how its loss was spelled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit sql.js@1.17.0 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import init from 'sql.js'
const db = new (await init()).Database()
const ask = (text) => db.exec(text)[0].values[0]
db.exec("create table log(loss); insert into log values (0.5), ('0.25'), ('nan'), (null), ('inf')")
const seen = ask("select avg(loss), max(loss), min(loss), count(loss), count(*) filter (where loss < 1), cast('inf' as real), 9e999 from log")
console.log(ask('select sqlite_version()'), seen)
assert.deepStrictEqual(seen, [0.1875, 'nan', 0.5, 4, 1, 0, Infinity])
db.exec('create table numbers(loss real)')
db.run('insert into numbers values (1), (?), (3)', [NaN])
assert.deepStrictEqual(ask('select avg(loss), count(loss) from numbers'), [2, 2])
JS
node seen.mjs
