/* What differs between compilers. */
#ifndef WIF_COMPILER_H
#define WIF_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE __attribute__((noinline, unused))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define INLINE static inline
#define NOINLINE
#define UNLIKELY(x) (x)
#endif

/* Fetches a cache line that is going to be stored to. */
#if defined(__GNUC__) || defined(__clang__)
#define prefetch_for_store(address) __builtin_prefetch((address), 1)
#else
#define prefetch_for_store(address) ((void)(address))
#endif

/* Makes a name of a shared library visible to programs that load it. */
#if defined(_WIN32)
#define WIF_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define WIF_EXPORT __attribute__((visibility("default")))
#else
#define WIF_EXPORT
#endif

/* UNROLL stands before the loops over the registers of a group.  The bounds of these loops are
 * constants, and the compiler keeps an array of vectors in registers only where it has unrolled the
 * loop completely. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif

/* The compiler's name, which weightinit_fast.info() tells. */
#ifndef WIF_COMPILER
#if defined(__clang__)
#define WIF_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define WIF_COMPILER "gcc " __VERSION__
#else
#define WIF_COMPILER "unknown"
#endif
#endif

#endif
