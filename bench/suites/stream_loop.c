/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream in equal pieces, and a whole clip, as a firmware's C code calls them: the cost without that of
 * calls from Python. The functions come as pointers, from the library that Python has loaded.
 */
#include <babycry/frontend.h>

typedef bc_status push_int16(bc_frontend *, const int16_t *, size_t, float *, size_t, size_t *);
typedef bc_status push_float(bc_frontend *, const float *, size_t, float *, size_t, size_t *);
typedef bc_status flush(bc_frontend *, float *, size_t, size_t *);

/* n is a multiple of chunk. Returns the number of frames, or a negative status. */
#define DEFINE_STREAM(name, sample, push_type)                                                          \
    long name(push_type *push, flush *end, bc_frontend *fe, const sample *pcm, size_t n, size_t chunk,  \
              float *features, size_t room, size_t n_features) {                                        \
        size_t frames = 0, got = 0;                                                                     \
        for (size_t at = 0; at < n; at += chunk) {                                                      \
            bc_status status = push(fe, pcm + at, chunk, features + frames * n_features, room - frames, \
                                    &got);                                                              \
            if (status != BC_OK) return -(long)status;                                                  \
            frames += got;                                                                              \
        }                                                                                               \
        bc_status status = end(fe, features + frames * n_features, room - frames, &got);                \
        return status == BC_OK ? (long)(frames + got) : -(long)status;                                  \
    }

DEFINE_STREAM(stream_int16, int16_t, push_int16)
DEFINE_STREAM(stream_float, float, push_float)
