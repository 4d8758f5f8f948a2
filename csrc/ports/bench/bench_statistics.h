/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_BENCH_STATISTICS_H
#define BABYCRY_BENCH_STATISTICS_H

#include <stddef.h>

void bench_sort(double *values, size_t n);

/* The q-th percentile, 0 to 100, of n >= 1 sorted values: linear between neighbours (Hyndman and Fan 1996,
 * definition 7, as numpy.percentile). */
double bench_percentile(const double *sorted, size_t n, double q);

/* The 95 % confidence interval of the median of n sorted values, from their order alone (binomial, no
 * assumption about the distribution); 0 where so few values cannot give one. */
int bench_median_interval(const double *sorted, size_t n, double *low, double *high);

#endif
