/* Standard output without a translation of line ends, which Windows makes otherwise. */
#ifndef WIF_BINARY_OUTPUT_H
#define WIF_BINARY_OUTPUT_H

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
static inline void binary_output(void) { _setmode(_fileno(stdout), _O_BINARY); }
#else
static inline void binary_output(void) {}
#endif

#endif
