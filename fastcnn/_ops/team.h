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
FC_TEAM_INLINE double fc_now(void) {
    LARGE_INTEGER ticks, rate;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&rate);
    return (double)ticks.QuadPart / (double)rate.QuadPart * 1e9;
}
FC_TEAM_INLINE void fc_yield(void) { SwitchToThread(); }
#else
#include <sched.h>
#include <time.h>
#define FC_TEAM_INLINE static inline
FC_TEAM_INLINE double fc_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
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

/* One worker's part of a step: its shares given out, and finished. Each pair on a cache line of its own. */
typedef struct {
    int64_t next, done;
    int64_t unused[6];
} fc_progress;

/* What is known of one piece of work that is small enough for the question whether a second core pays.
 * Threads that do the same work at once may overwrite each other's notes: a lost one is made again, and no
 * result depends on it. */
typedef struct {
    double serial, shared; /* recent times in ns, 0: none yet */
    int64_t runs;
    int64_t trial; /* what the last trial tries: 1 sharing, 0 not */
} fc_habit;

enum { FC_TRIAL = 4, FC_TRIALS_FROM = 16, FC_TRIALS_EVERY = 256 };

/* Runs since the last trial began. Trials are rare once much is known: the first runs of a process are often
 * in the way of other things that it starts. */
FC_TEAM_INLINE int64_t fc_habit_turn(const fc_habit *h) {
    int64_t every = FC_TRIALS_FROM;
    while (every < FC_TRIALS_EVERY && h->runs >= 2 * every) every *= 2;
    return h->runs % every;
}

/* Whether to share it this time. The faster way so far; now and then a few runs the other way, in case that
 * has changed: another process may have come or gone. Times depend on how soon a sleeping thread wakes, which
 * differs a hundredfold from machine to machine, so they are measured, not guessed. Results are the same
 * either way. */
FC_TEAM_INLINE int fc_habit_shares(const fc_habit *h) {
    const int64_t turn = fc_habit_turn(h);
    const int faster = h->shared < h->serial;
    if (h->runs < 2 * FC_TRIAL) return h->runs < FC_TRIAL;
    if (turn == 0) return !faster;
    return turn < FC_TRIAL ? (int)h->trial : faster;
}

/* The first run of a trial doesn't count: caches, and threads that still sleep, are not what they would be.
 * Of the others the quickest does. After that single slow runs, which say more of other processes than of
 * this work, move what is known by a fifth at most. */
FC_TEAM_INLINE void fc_habit_learn(fc_habit *h, int shared, double ns) {
    double *known = shared ? &h->shared : &h->serial;
    const int64_t turn = fc_habit_turn(h), run = h->runs++;
    const int both = run < 2 * FC_TRIAL; /* the first two trials, one after the other */
    if (turn == 0) h->trial = shared;
    if (turn == 0 || turn == FC_TRIAL) return;
    if (turn == 1 || *known == 0)
        *known = ns;
    else if (turn < FC_TRIAL || both)
        *known = ns < *known ? ns : *known;
    else
        *known += 0.2 * ((ns < 2 * *known ? ns : 2 * *known) - *known);
}

/* Until so many shares are finished. Who holds the last one is usually microseconds from its end; if it
 * isn't, another process has its core, and giving ours away is the quickest way to get it running again. */
FC_TEAM_INLINE void fc_wait_for(fc_progress *p, int64_t shares) {
    for (int spins = 0; fc_read(&p->done) < shares; spins++) {
        if (spins < 2000)
            fc_pause();
        else
            fc_yield();
    }
}
#endif
