/* See threads.h.  Windows 8 and later. */
#include "system/threads.h"

#if WIF_THREADS && defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

const char *wif_threads_wait_by(void) { return "WaitOnAddress"; }

void wif_thread_wait(_Atomic uint32_t *word, uint32_t value) {
    WaitOnAddress((volatile void *)word, &value, sizeof value, INFINITE);
}

void wif_thread_wake(_Atomic uint32_t *word, int count) {
    for (; count > 0; count--)
        WakeByAddressSingle((void *)word);
}

int wif_threads_prepare(void (*in_child)(void)) {
    (void)in_child; /* Windows has no fork */
    HMODULE self;
    /* A worker runs the code of this library for as long as the process lives. */
    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_PIN,
                              (LPCWSTR)(void *)&wif_threads_prepare, &self);
}

/* What every worker runs; the same function each time. */
static void (*_Atomic work)(void);

static DWORD WINAPI begin(void *unused) {
    (void)unused;
    atomic_load (&work)();
    return 0;
}

int wif_thread_processor(void) { return -1; }
void wif_thread_avoid(int processor) { (void)processor; }
uintptr_t wif_thread_self(void) { return GetCurrentThreadId(); }

int wif_thread_start(void (*run)(void), int number) {
    (void)number;
    atomic_store(&work, run);
    const HANDLE thread = CreateThread(NULL, WIF_WORKER_STACK_BYTES, begin, NULL,
                                       STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (!thread)
        return 0;
    /* Only Windows 10 and later have names of threads. */
    typedef HRESULT(WINAPI * describe)(HANDLE, PCWSTR);
    const HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    const describe set =
        kernel ? (describe)(void *)GetProcAddress(kernel, "SetThreadDescription") : (describe)NULL;
    if (set)
        set(thread, L"wif_worker");
    CloseHandle(thread);
    return 1;
}

#endif
