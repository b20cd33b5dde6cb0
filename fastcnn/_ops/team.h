/* What the workers of one parallel region agree by: counters that all of them move, and waiting for one. */
#ifndef FC_TEAM_H
#define FC_TEAM_H
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <windows.h>
#define FC_TEAM_INLINE static __inline
FC_TEAM_INLINE int64_t fc_add(int64_t *at, int64_t n) {
    return InterlockedExchangeAdd64((volatile LONG64 *)at, n);
}
FC_TEAM_INLINE int64_t fc_read(int64_t *at) { return InterlockedOr64((volatile LONG64 *)at, 0); }
FC_TEAM_INLINE void fc_pause(void) { YieldProcessor(); }
FC_TEAM_INLINE void fc_yield(void) { SwitchToThread(); }
#else
#include <sched.h>
#define FC_TEAM_INLINE static inline
FC_TEAM_INLINE int64_t fc_add(int64_t *at, int64_t n) { return __atomic_fetch_add(at, n, __ATOMIC_ACQ_REL); }
FC_TEAM_INLINE int64_t fc_read(int64_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
FC_TEAM_INLINE void fc_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
FC_TEAM_INLINE void fc_yield(void) { sched_yield(); }
#endif

/* One step's progress: shares given out, shares finished. Each pair on a cache line of its own. */
typedef struct {
    int64_t next, done;
    int64_t unused[6];
} fc_progress;

/* Until all shares are finished. Who holds the last one is usually microseconds from its end; if it isn't,
 * another process has its core, and giving ours away is the quickest way to get it running again. */
FC_TEAM_INLINE void fc_wait_for(fc_progress *p, int64_t shares) {
    for (int spins = 0; fc_read(&p->done) < shares; spins++) {
        if (spins < 2000)
            fc_pause();
        else
            fc_yield();
    }
}
#endif
