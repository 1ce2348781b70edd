/* Judges a binary32 DPO loss by the vectors, flattened by flatten.jq to one line a test on stdin:

     cc consumer.c -lm -o consumer
     jq -r --arg format binary32 -f flatten.jq kernel.json | ./consumer

   Prints what it rejects; exits 1 if it rejects anything or judged nothing. Put your own in the place of loss. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float loss(float pc, float pr, float rc, float rr, double beta, double eps) {
    float z = (float)beta * ((pc - rc) - (pr - rr)), tail = log1pf(expf(-fabsf(z)));
    float won = fmaxf(-z, 0) + tail, lost = fmaxf(z, 0) + tail;
#ifdef NAIVE
    won = -logf(1 / (1 + expf(-z))), lost = -logf(1 / (1 + expf(z)));
#endif
    if (isnan(z)) return z;
    return eps == 0 ? won : (float)(1 - eps) * won + (float)eps * lost;
}

static float single(const char *bits) {
    uint32_t pattern = strtoul(bits, NULL, 16);
    float number;
    memcpy(&number, &pattern, sizeof number);
    return number;
}

static double wide(const char *bits) {
    uint64_t pattern = strtoull(bits, NULL, 16);
    double number;
    memcpy(&number, &pattern, sizeof number);
    return number;
}

int main(void) {
    char id[64], beta[32], eps[32], pc[32], pr[32], rc[32], rr[32], lowest[32], highest[32], zero[8];
    int judged = 0, rejected = 0;
    while (scanf("%63s %31s %31s %31s %31s %31s %31s %31s %31s %7s", id, beta, eps, pc, pr, rc, rr, lowest, highest, zero) == 10) {
        float y = loss(single(pc), single(pr), single(rc), single(rr), wide(beta), wide(eps));
        int inside = strcmp(lowest, "nan") == 0 ? isnan(y) : single(lowest) <= y && y <= single(highest);
        judged++;
        if (inside || (strcmp(zero, "true") == 0 && y == 0)) continue;
        rejected++;
        printf("%s: got %a, accepted is %a to %a\n", id, y, single(lowest), single(highest));
    }
    printf("%d results judged, %d rejected\n", judged, rejected);
    return rejected > 0 || judged == 0;
}
