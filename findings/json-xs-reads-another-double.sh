#!/usr/bin/env bash
# JSON::XS 4.04 and JSON::PP 4.07 on perl 5.36 (Debian 12): two of five losses are read as another double, and a perplexity is text.
#
# Guessed: what is read is the nearest double, and only what is written is short, by Perl's 15 digits. Seen in JSON::XS: of 10,000 numbers in (0, 1)
# more than a quarter of those with 7 digits and 40 % of those with 17 are another double; 1.2345678901234567e-306 is off by 0.2 %, the smallest
# normal number, 2.2250738585072014e-308, by 10 %, and 5e-324 is 0. JSON::PP and Cpanel::JSON::XS read all of these rightly.
# Guessed: a number is written as a number. Seen in JSON::PP: exp(40) is "2.3538526683702e+17" in quotes, as are nine of ten floats between
# 2**53 and 2**63; exp(20), exp(50) and 2**63 are numbers. Infinity is Inf, inf in JSON::XS and null in Cpanel::JSON::XS.
# A log that a Perl script read is no evidence about ulps, and a column of perplexities changes its kind where it diverges.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root perl-base=5.36.0-7+deb12u4 perl-modules-5.36=5.36.0-7+deb12u4 libperl5.36=5.36.0-7+deb12u4 \
  libjson-xs-perl=4.040-1~deb12u1 libcpanel-json-xs-perl=4.35-1+deb12u1 libtypes-serialiser-perl=1.01-1 libcommon-sense-perl=3.75-3 > /dev/null
for package in ./*.deb; do dpkg -x "$package" .; done
lib=$folder/usr/lib/x86_64-linux-gnu
export PERL5LIB=$folder/usr/share/perl5:$lib/perl5/5.36:$lib/perl/5.36:$folder/usr/share/perl/5.36:$lib/perl-base LC_ALL=C
cat > seen.pl <<'PL'
use strict;
use warnings;
use JSON::PP ();
use JSON::XS ();
use Cpanel::JSON::XS ();

for my $name ("JSON::PP", "JSON::XS", "Cpanel::JSON::XS") {
    my $json = $name->new->allow_nonref;
    my @wrong;
    srand(1);
    for my $digits (7, 17) {
        push @wrong, scalar grep { my $text = sprintf("%.${digits}g", rand); $json->decode($text) != $text } 1 .. 10000;
    }
    my ($small, $least, $last) = map { $json->decode($_) } "1.2345678901234567e-306", "2.2250738585072014e-308", "5e-324";
    my $written = $json->encode([exp(20), exp(40), exp(50), 9**9**9]);
    printf "%s %d %d %.3g %.3g %g %s\n", $name, @wrong, $small / 1.2345678901234567e-306 - 1, $least / 2**-1022 - 1, $last, $written;
    if ($name eq "JSON::XS") {
        die if $wrong[0] < 2500 || $wrong[1] < 4000 || $small > 1.233e-306 || $least > 2.01e-308 || $last != 0;
    }
    elsif ("@wrong" ne "0 0" || $least != 2**-1022 || $last == 0) { die }
    my ($large, $infinity) = $name eq "JSON::PP" ? ('"2.3538526683702e+17"', "Inf") : ("2.3538526683702e+17", $name eq "JSON::XS" ? "inf" : "null");
    my $quoted = grep { $json->encode([2**(53 + 10 * rand)]) =~ /"/ } 1 .. 1000;
    die $quoted if $name eq "JSON::PP" ? $quoted < 800 : $quoted;
    die $written if $written ne "[485165195.40979,$large,5.18470552858707e+21,$infinity]";
}
PL
usr/bin/perl seen.pl
