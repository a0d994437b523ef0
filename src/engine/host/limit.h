/* The most threads that the fills of a thread use by default.
 *
 * threadpoolctl finds the two functions by their names in the extension module
 * (weightinit_fast/_resolve/threadpoolctl.py).  The limit belongs to the thread that sets it, so
 * that two threads that each set and restore a limit leave each other's alone. */
#ifndef WIF_LIMIT_H
#define WIF_LIMIT_H

#if defined(_WIN32)
#define WIF_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define WIF_EXPORT __attribute__((visibility("default")))
#else
#define WIF_EXPORT
#endif

/* The limit of the calling thread; 0 where it has set none. */
WIF_EXPORT int weightinit_fast_get_thread_limit(void);

/* Set the limit of the calling thread; 0 or less removes it. */
WIF_EXPORT void weightinit_fast_set_thread_limit(int most);

#endif
