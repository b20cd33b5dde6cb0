# Part of core.pyx: the one parallel loop, and whether work is worth sharing.

cdef extern from "team.h" nogil:
    ctypedef struct fc_progress:
        int64_t next
        int64_t done
    ctypedef struct fc_habit:
        pass
    int fc_habit_shares(const fc_habit *h)
    void fc_habit_learn(fc_habit *h, int shared, double ns)
    double fc_now()
    int64_t fc_add(int64_t *at, int64_t n)
    void fc_wait_for(fc_progress *p, int64_t shares)


cdef struct Step:
    int kernel
    int64_t tiles
    int64_t shares
    int64_t alone  # shares for a worker without others
    bint backwards  # the last share first
    double flops
    double size
    uint64_t words[MAX_FIELDS]


cdef int64_t first_share(int64_t shares, int worker, int workers) noexcept nogil:
    """Of those that a worker does before it helps the others. A single share is the first worker's."""
    return (shares * worker + workers - 1) // workers


cdef void run_share(const fc_kernel *table, const Step *s, int64_t share, int64_t shares, char *scratch) noexcept nogil:
    table[s.kernel].run(s.words, s.tiles * share // shares, s.tiles * (share + 1) // shares, scratch)


cdef void work(const fc_kernel *table, const Step *steps, int first, int count, int worker, int workers,
               fc_progress *progress, char *scratch) noexcept nogil:
    """One worker's way through the steps: it takes its own shares of a step, in order, then what is left of the
    others', waits until all are finished, and goes on. So a worker mostly finds in its core's cache what it made a step
    before, the more so as every other step begins where the one before ended. Which worker does which share never
    matters: tiles don't share what they write."""
    cdef int n, i, owner
    cdef int64_t begin, end, turn
    cdef const Step *s
    cdef fc_progress *p
    cdef uint64_t state = fc_denormals_off()
    for n in range(first, count):
        s = &steps[n]
        p = progress + n * workers
        if scratch != NULL:
            (<int64_t *>scratch)[0] = 0
        for i in range(workers):
            owner = (worker + i) % workers
            begin = first_share(s.shares, owner, workers)
            end = first_share(s.shares, owner + 1, workers)
            while True:
                turn = fc_add(&p[owner].next, 1)
                if turn >= end - begin:
                    break
                run_share(table, s, end - 1 - turn if s.backwards else begin + turn, s.shares, scratch)
                fc_add(&p[owner].done, 1)
        for i in range(workers):
            fc_wait_for(&p[i], first_share(s.shares, i + 1, workers) - first_share(s.shares, i, workers))
    fc_denormals_restore(state)


cdef void work_alone(const fc_kernel *table, const Step *steps, int first, int count, char *scratch) noexcept nogil:
    """The same for one worker, who waits for nobody."""
    cdef int n
    cdef int64_t turn
    cdef const Step *s
    cdef uint64_t state = fc_denormals_off()
    for n in range(first, count):
        s = &steps[n]
        if scratch != NULL:
            (<int64_t *>scratch)[0] = 0
        for turn in range(s.alone):
            run_share(table, s, s.alone - 1 - turn if s.backwards else turn, s.alone, scratch)
    fc_denormals_restore(state)


cdef void drive(const fc_kernel *table, Step *steps, int first, int count, int workers, char *memory,
                size_t stride) noexcept nogil:
    """All tiles of the steps first .. count - 1, on so many workers. `memory`: as `memory_bytes` says.

    One parallel region for all steps: opening and closing one costs microseconds, and closing it waits for every
    worker, also for one whose core another process has taken. Within the region a step waits for its shares only,
    so a worker that is late holds up nobody: the others do its part.
    """
    cdef int i
    cdef fc_progress *progress = <fc_progress *>memory
    cdef char *scratch = memory + <size_t>count * workers * sizeof(fc_progress) if stride else NULL
    if workers <= 1:
        work_alone(table, steps, first, count, scratch)
        return
    memset(progress, 0, <size_t>count * workers * sizeof(fc_progress))
    for i in prange(workers, num_threads=workers, schedule="static", chunksize=1):
        work(table, steps, first, count, i, workers, progress, scratch + stride * i if stride else NULL)


cdef size_t memory_bytes(int count, int workers, size_t stride) noexcept nogil:
    """What `drive` needs: a line of progress for each step and worker, then `stride` bytes of scratch a worker."""
    return (<size_t>count * sizeof(fc_progress) + stride) * workers


cdef double expected(const Step *s) noexcept nogil:
    """How long a step may take on one core, in ns: more rather than less, at 40 GFLOP/s and 10 GB/s."""
    return s.flops / 40.0 + s.size / 10.0


#: A share of less work than this, in ns, isn't worth taking.
cdef enum:
    SHARE = 40000


cdef int share_out(Step *steps, int count, int limit) noexcept nogil:
    """Cut each step into shares for at most `limit` workers; returns how many workers the largest step is worth."""
    cdef int n, workers, most = 1
    cdef int64_t wanted
    cdef bint backwards = False
    for n in range(count):
        workers = workers_for(&steps[n], limit)
        # Several shares a worker, so that the others can help one that is late, or whose core other processes slow
        # down: more where there is more to do.
        wanted = <int64_t>(expected(&steps[n]) / SHARE)
        steps[n].shares = min(steps[n].tiles, max(4 * workers, min(wanted, 16 * workers)) if workers > 1 else 1)
        steps[n].alone = min(steps[n].tiles, max(1, min(wanted, 16)))
        steps[n].backwards = backwards
        if steps[n].shares > 1 or steps[n].alone > 1:
            backwards = not backwards
        most = max(most, workers)
    return most


#: Work of which so much is expected, in ns, is shared without asking whether that pays.
cdef enum:
    SURELY = 10000000


cdef void drive_or_not(fc_habit *habit, const fc_kernel *table, Step *steps, int first, int count, int workers,
                       char *memory, size_t stride) noexcept nogil:
    """`drive`, on one core where that has shown itself to be faster."""
    cdef double start, ns = 0
    cdef int shared, n
    for n in range(first, count):
        ns += expected(&steps[n])
    if workers <= 1 or ns > SURELY:
        drive(table, steps, first, count, workers, memory, stride)
        return
    shared = fc_habit_shares(habit)
    start = fc_now()
    drive(table, steps, first, count, workers if shared else 1, memory, stride)
    fc_habit_learn(habit, shared, fc_now() - start)


cdef int workers_for(const Step *s, int limit) noexcept nogil:
    """How many threads the work may be worth. Handing a share to another core costs a microsecond or two, so each
    worker must get more than about 5 us of work."""
    cdef double worth = expected(s) / 5000.0
    if worth < 2 or s.tiles < 2:
        return 1
    return <int>min(<double>min(limit, s.tiles), worth)
