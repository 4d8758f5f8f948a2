/* SPDX-License-Identifier: Apache-2.0
 *
 * Complex numbers in lanes, and the discrete Fourier transforms of 2 to 5 of them.
 */
#ifndef BC_BUTTERFLIES_H
#define BC_BUTTERFLIES_H

#include "lanes.h"

typedef struct bc_vc {
    bc_vf re, im;
} bc_vc;

BC_INLINE bc_vc add(bc_vc a, bc_vc b) { return (bc_vc){a.re + b.re, a.im + b.im}; }
BC_INLINE bc_vc sub(bc_vc a, bc_vc b) { return (bc_vc){a.re - b.re, a.im - b.im}; }
BC_INLINE bc_vc scale(bc_vc a, float s) { return (bc_vc){a.re * s, a.im * s}; }
BC_INLINE bc_vc minus_i(bc_vc a) { return (bc_vc){a.im, -a.re}; }
BC_INLINE bc_vc twiddle(bc_vc a, bc_vc w) {
    return (bc_vc){a.re * w.re - a.im * w.im, a.re * w.im + a.im * w.re};
}

/* Elements z[0], z[span], ... become their own discrete Fourier transform. */
BC_INLINE void butterfly2(bc_vc *z, size_t span) {
    bc_vc a = z[0], b = z[span];
    z[0] = add(a, b);
    z[span] = sub(a, b);
}

BC_INLINE void butterfly3(bc_vc *z, size_t span) {
    bc_vc a = z[0], sum = add(z[span], z[2 * span]), difference = sub(z[span], z[2 * span]);
    bc_vc even = sub(a, scale(sum, 0.5f));
    bc_vc odd = minus_i(scale(difference, 0.866025404f)); /* sin(2 pi/3) */
    z[0] = add(a, sum);
    z[span] = add(even, odd);
    z[2 * span] = sub(even, odd);
}

BC_INLINE void butterfly4(bc_vc *z, size_t span) {
    bc_vc a = z[0], b = z[span], c = z[2 * span], d = z[3 * span];
    bc_vc ac = add(a, c), bd = add(b, d), ac_ = sub(a, c), bd_ = minus_i(sub(b, d));
    z[0] = add(ac, bd);
    z[span] = add(ac_, bd_);
    z[2 * span] = sub(ac, bd);
    z[3 * span] = sub(ac_, bd_);
}

BC_INLINE void butterfly5(bc_vc *z, size_t span) {
    const float c1 = 0.309016994f, c2 = -0.809016994f; /* cos(2 pi/5), cos(4 pi/5) */
    const float s1 = 0.951056516f, s2 = 0.587785252f;  /* sin(2 pi/5), sin(4 pi/5) */
    bc_vc a = z[0];
    bc_vc p = add(z[span], z[4 * span]), p_ = sub(z[span], z[4 * span]);
    bc_vc q = add(z[2 * span], z[3 * span]), q_ = sub(z[2 * span], z[3 * span]);
    bc_vc even1 = add(a, add(scale(p, c1), scale(q, c2)));
    bc_vc even2 = add(a, add(scale(p, c2), scale(q, c1)));
    bc_vc odd1 = minus_i(add(scale(p_, s1), scale(q_, s2)));
    bc_vc odd2 = minus_i(sub(scale(p_, s2), scale(q_, s1)));
    z[0] = add(a, add(p, q));
    z[span] = add(even1, odd1);
    z[2 * span] = add(even2, odd2);
    z[3 * span] = sub(even2, odd2);
    z[4 * span] = sub(even1, odd1);
}

#endif
