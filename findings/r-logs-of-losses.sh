#!/usr/bin/env bash
# R 4.2.2 with data.table 1.14.8, jsonlite 1.8.4, zoo 1.8-11 (Debian 12): a vanishing loss is written as another number, an infinite one not at all.
#
# Guessed: fwrite is short, by R's 15 digits, and right to these. Seen: each subnormal number has 1.1e-308 added: 5e-324 is written
# 1.1125369292536e-308, and 1e-320 almost the same; 2.2250738585072014e-308 and all above are right. fread reads all of them rightly.
# Guessed: toJSON writes NaN and Inf of a data frame as of a vector, "NaN" and "Inf". Seen: the key is left out of the line, {}, so that they are
# read back as NA, and so it is in stream_out, a log of lines: whoever diverged logged nothing.
# Guessed: a moving mean of 1, Inf, 1, 1 is infinite twice. Seen: frollmean gives NA, the mark of what is missing, algo = "exact" Inf. Guessed:
# rollapply(x, 2, mean) applies mean. Seen: it is zoo's rollmean, NaN to the end, and of 1e16, 1, 1, 1 it is 0 from the second on;
# rollapply(x, 2, function(w) mean(w)) is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root r-base-core=4.2.2.20221110-2 r-cran-data.table=1.14.8+dfsg-1 \
  r-cran-jsonlite=1.8.4+dfsg-1 r-cran-zoo=1.8-11-1 r-cran-lattice=0.20-45-3 libblas3=3.11.0-2 liblapack3=3.11.0-2 \
  libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1 libgomp1=12.2.0-14+deb12u1 libtirpc3=1.3.3+ds-1 \
  libicu72=72.1-3+deb12u1 libreadline8=8.2-1.3 libpcre2-8-0=10.42-1+deb12u2 > /dev/null
for package in ./*.deb; do dpkg -x "$package" .; done
cat > seen.R <<'R'
library(data.table)
file <- tempfile()
written <- function(x) { fwrite(list(x), file, col.names = FALSE); readLines(file) }
read <- function(text) { writeLines(c("x", text, text), file); fread(file)$x[1] }
seen <- sapply(c(5e-324, 1e-320, 1e-310, 2.2250738585072014e-308, 1e-300), written)
print(seen)
stopifnot(seen == c("1.1125369292536e-308", "1.1125369292541e-308", "1.1175369292536e-308", "2.2250738585072e-308", "1e-300"))
stopifnot(read("5e-324") == 5e-324, read("1e-310") == 1e-310)
losses <- data.frame(loss = c(0.5, NaN, Inf, NA))
frame <- jsonlite::toJSON(losses)
vector <- jsonlite::toJSON(losses$loss)
jsonlite::stream_out(losses, con <- file(file, "w"), verbose = FALSE)
close(con)
print(c(frame, vector, readLines(file)))
stopifnot(frame == '[{"loss":0.5},{},{},{}]', vector == '[0.5,"NaN","Inf","NA"]', readLines(file) == c('{"loss":0.5}', "{}", "{}", "{}"))
stopifnot(identical(is.na(jsonlite::fromJSON(frame)$loss) & !is.nan(jsonlite::fromJSON(frame)$loss), c(FALSE, TRUE, TRUE, TRUE)))
infinite <- c(1, Inf, 1, 1)
large <- c(1e16, 1, 1, 1)
print(list(frollmean(infinite, 2), frollmean(infinite, 2, algo = "exact"), zoo::rollapply(infinite, 2, mean), zoo::rollapply(large, 2, mean)))
stopifnot(identical(frollmean(infinite, 2), c(NA, NA, NA, 1)), identical(frollmean(infinite, 2, algo = "exact"), c(NA, Inf, Inf, 1)))
stopifnot(is.nan(zoo::rollapply(infinite, 2, mean)[3]), zoo::rollapply(large, 2, mean)[2:3] == 0)
by_hand <- function(x) zoo::rollapply(x, 2, function(w) mean(w))
stopifnot(identical(by_hand(infinite), c(Inf, Inf, 1)), by_hand(large)[2:3] == 1)
R
lib=$folder/usr/lib
export R_HOME=$lib/R R_DEFAULT_PACKAGES=stats,utils,methods R_LIBS_SITE=$lib/R/site-library EDITOR=vi PAGER=cat LC_ALL=C
export LD_LIBRARY_PATH=$lib/R/lib:$lib/x86_64-linux-gnu/blas:$lib/x86_64-linux-gnu/lapack:$lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu
"$lib/R/bin/exec/R" --no-echo --vanilla -f seen.R
