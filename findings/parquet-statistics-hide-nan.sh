#!/usr/bin/env bash
# duckdb 2.0.1, datafusion 55.0.0, pyarrow 25.0.1: of a Parquet file with a NaN, filters and maxima answer by the statistics, in which it is not.
#
# Guessed: a query gives what it gives of the same table in memory. Seen for [1, NaN, 2] in a file that pyarrow wrote: in duckdb `where isnan(loss)`
# finds 0 rows and count(*) filter (where isnan(loss)) 1; max(loss) is 2, and NaN as soon as avg(loss) is asked for beside it. In datafusion
# max(loss) is 2 and `loss > 5` finds nothing, of the table in memory NaN and 1 row. pyarrow's own ~(loss <= 5) keeps the NaN in memory and drops it
# in reading. A file that duckdb wrote, or one without statistics, duckdb answers as it answers the table. "No loss is NaN" passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 datafusion==55.0.0 pyarrow==25.0.1
cd "$folder"
cat > seen.py <<'PY'
import math

import datafusion
import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.parquet

losses = pyarrow.table({"loss": [1.0, math.nan, 2.0]})
pyarrow.parquet.write_table(losses, "log.parquet")
pyarrow.parquet.write_table(losses, "without.parquet", write_statistics=False)
duckdb.sql("copy (select * from losses) to 'duckdb.parquet'")


def by_duckdb(source):
    asked = (
        f"select count(*) from {source} where isnan(loss)",
        f"select count(*) filter (where isnan(loss)) from {source}",
        f"select max(loss) from {source}",
        f"select max(loss), avg(loss) from {source}",
    )
    return [str(duckdb.sql(query).fetchall()[0][0]) for query in asked]


for source in ("losses", "'without.parquet'", "'duckdb.parquet'", "'log.parquet'"):
    print("duckdb", source, by_duckdb(source))
    assert by_duckdb(source) == (["0", "1", "2.0", "nan"] if "log.parquet" in source else ["1", "1", "nan", "nan"])

context = datafusion.SessionContext()
context.from_arrow(losses, name="memory")
context.register_parquet("file", "log.parquet")
seen = {
    source: [
        str(context.sql(f"select {what} as x from {source}").to_pylist()[0]["x"])
        for what in ("max(loss)", f"(select count(*) from {source} where loss > 5)")
    ]
    for source in ("memory", "file")
}
print("datafusion", seen)
assert seen == {"memory": ["nan", "1"], "file": ["2.0", "0"]}

above = ~(pyarrow.compute.field("loss") <= 5)
seen = [losses.filter(above).num_rows, pyarrow.parquet.read_table("log.parquet", filters=above).num_rows]
print("pyarrow", seen)
assert seen == [1, 0]
PY
"$folder/venv/bin/python" seen.py
