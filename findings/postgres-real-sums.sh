#!/usr/bin/env bash
# PostgreSQL 18.7 (as @electric-sql/pglite 0.5.17, npm): sums of real are real, and exp of a large negative number is an error.
#
# Guessed: sum(real) is taken in double precision, as avg(real) is. Seen: it is real and taken one by one: of 1,000,000 times 0.1 it is 100958.34,
# and avg is 0.1 to seven digits. pg_typeof says real.
# Guessed: exp(-800) is 0. Seen: "value out of range: underflow", and so for 1e-200 * 1e-200 and for 1e-50 as real; exp(-745) is 5e-324. A query
# that computes a loss by exp stops at one vanishing line of a million. exp('-inf') is 0. NaN = NaN is true, so that loss <> loss finds none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @electric-sql/pglite@0.5.17 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import { PGlite } from '@electric-sql/pglite'
const db = new PGlite()
const ask = async (text) => Object.values((await db.query(text)).rows[0])
const sums = await ask('select sum(x), avg(x), pg_typeof(sum(x))::text from (select 0.1::real as x from generate_series(1, 1000000)) as t')
const rest = await ask("select exp(-745::float8) as a, exp('-inf'::float8) as b, 'nan'::float8 = 'nan' as c")
console.log(sums, rest)
assert(sums[0] === 100958.34 && Math.abs(sums[1] - 0.1) < 1e-8 && sums[2] === 'real')
assert.deepStrictEqual(rest, [5e-324, 0, true])
for (const text of ['exp(-800::float8)', '1e-200::float8 * 1e-200::float8', '1e-50::float8::real']) await assert.rejects(ask(`select ${text}`), /underflow/)
await db.close()
JS
node seen.mjs
