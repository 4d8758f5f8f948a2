/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_VERSION_H
#define BABYCRY_VERSION_H

/* The library's version (SemVer). The build reads it from here. */
#define BC_VERSION "0.1.0"

/* Grows whenever a struct or a signature in these headers changes. */
#define BC_ABI_VERSION 1

#endif
