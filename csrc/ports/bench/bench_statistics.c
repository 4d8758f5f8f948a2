/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_statistics.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *values, size_t n) { qsort(values, n, sizeof *values, ascending); }

double bench_percentile(const double *sorted, size_t n, double q) {
    double position = (double)(n - 1) * q / 100.0;
    size_t below = (size_t)position;
    size_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}

int bench_median_interval(const double *sorted, size_t n, double *low, double *high) {
    /* Outside [k-th smallest, k-th largest] the median lies with a probability of 2 P(B < k), B binomial with
     * n and 1/2: the largest k that keeps it at 5 % or below. */
    double term = 1.0, below = 0.0;
    if (n > 1000) {
        return 0; /* 2^-n is no longer a number; the rounds are never so many */
    }
    for (size_t i = 0; i < n; i++) {
        term /= 2.0;
    }
    size_t k = 0;
    while (k < n / 2 && 2.0 * (below + term) <= 0.05) {
        below += term;
        term *= (double)(n - k) / (double)(k + 1);
        k++;
    }
    if (k == 0) {
        return 0;
    }
    *low = sorted[k - 1];
    *high = sorted[n - k];
    return 1;
}
