#!/usr/bin/env bash
# xlsx 0.18.5 (SheetJS, npm): a sheet's CSV has nine digits.
#
# Guessed: what was put in as a number is written as that number. Seen: sheet_to_csv writes what a cell would show: ln 2 is 0.693147181, 1e-320 is
# 9.99989E-321, NaN is NAN and infinity INFINITY, with no format set; sheet_to_json of the same sheet has all digits. Guessed: a CSV line 1.2.3 or
# 3/4 is text. Seen: days, as 37623; 10% is 0.1; 1e400 stays text and 1e-5 is a number. A log that passed through a spreadsheet is rounded at 5e-10.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit xlsx@0.18.5 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import xlsx from 'xlsx'
const sheet = xlsx.utils.aoa_to_sheet([[Math.LN2, 1e-320, NaN, Infinity]])
const seen = [xlsx.utils.sheet_to_csv(sheet), xlsx.utils.sheet_to_json(sheet, { header: 1 })[0][0] === Math.LN2]
console.log(seen)
assert.deepStrictEqual(seen, ['0.693147181,9.99989E-321,NAN,INFINITY', true])
const read = xlsx.read('1.2.3\n10%\n1e400\n1e-5', { type: 'string' })
const cells = xlsx.utils.sheet_to_json(read.Sheets.Sheet1, { header: 1 }).flat()
console.log(cells)
assert.strictEqual(typeof cells[0], 'number')
assert.deepStrictEqual(cells.slice(1), [0.1, '1e400', 1e-5])
JS
node seen.mjs
