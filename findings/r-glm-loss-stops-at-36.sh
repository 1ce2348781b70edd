#!/usr/bin/env bash
# R 4.2.2 (Debian 12), glm's logit, the Bradley-Terry model of many a textbook: no pair costs more than 36, and at a margin of -30 the probability
# falls by a factor of 421.
#
# Guessed: binomial()$linkinv(z) is the logistic function, as plogis is, at -50 1.93e-22. Seen: exp(z) down to -30, 9.36e-14, and the machine epsilon
# 2.22e-16 from there on: at -30.01 already, where 9.26e-14 is right. So the loss of a pair at a margin of -31, -50 or -800 is 36.04, and its
# slope, mu.eta, is 2.22e-16 on either side. The log-likelihood of a glm whose margin is -50, given as its offset, is -36.04;
# plogis(-50, log.p = TRUE) is -50. The probit is cut off in the same way, at -8.13.
# A reference loss computed by R's models agrees with an exact one until a pair is wrong by 30, and is then too small without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root r-base-core=4.2.2.20221110-2 libblas3=3.11.0-2 liblapack3=3.11.0-2 \
  libgfortran5=12.2.0-14+deb12u1 libquadmath0=12.2.0-14+deb12u1 libgomp1=12.2.0-14+deb12u1 libtirpc3=1.3.3+ds-1 \
  libicu72=72.1-3+deb12u1 libreadline8=8.2-1.3 libpcre2-8-0=10.42-1+deb12u2 > /dev/null
for package in ./*.deb; do dpkg -x "$package" .; done
cat > seen.R <<'R'
link <- binomial()
shown <- c(at = link$linkinv(-30), below = link$linkinv(-30.01), far = link$linkinv(-800), right = plogis(-30.01))
losses <- sapply(c(-29, -31, -50, -800), function(z) link$dev.resids(1, link$linkinv(z), 1) / 2)
slopes <- link$mu.eta(c(-31, 31))
fit <- suppressWarnings(glm(1 ~ 0 + offset(-50), family = binomial()))
probit <- binomial("probit")$linkinv(c(-8, -50))
print(shown, digits = 4)
print(losses)
print(slopes)
print(c(logLik(fit), plogis(-50, log.p = TRUE)))
print(probit)
stopifnot(
  abs(shown["at"] / plogis(-30) - 1) < 1e-9, abs(shown[c("below", "far")] / .Machine$double.eps - 1) < 1e-9,
  abs(losses[1] - 29) < 1e-9, abs(losses[-1] - 36.04365) < 1e-5, abs(slopes / .Machine$double.eps - 1) < 1e-9,
  abs(logLik(fit) + 36.04365) < 1e-5, plogis(-50, log.p = TRUE) == -50, abs(probit[2] / .Machine$double.eps - 1) < 1e-9
)
R
lib=$folder/usr/lib
export R_HOME=$lib/R R_DEFAULT_PACKAGES=stats EDITOR=vi PAGER=cat LC_ALL=C
export LD_LIBRARY_PATH=$lib/R/lib:$lib/x86_64-linux-gnu/blas:$lib/x86_64-linux-gnu/lapack:$lib/x86_64-linux-gnu:$folder/lib/x86_64-linux-gnu
"$lib/R/bin/exec/R" --no-echo --vanilla -f seen.R
