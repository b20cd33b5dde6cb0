# distutils: language = c
# cython: cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The one place where Python meets the kernels: arguments are checked, tiles are shared over threads.

`call` runs one kernel. `Program` holds a list of kernels with one arena of memory behind it and runs them
all in one call without the GIL. Both go through `drive`, the only parallel loop there is.
"""

import threading

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
cimport numpy as cnp

cnp.import_array()

cdef extern from "fastcnn.h" nogil:
    ctypedef enum fc_isa:
        FC_PORTABLE
        FC_ISA_COUNT
    ctypedef struct fc_kernel:
        int64_t (*tiles)(const void *args) noexcept nogil
        size_t (*scratch)(const void *args) noexcept nogil
        void (*run)(const void *args, int64_t begin, int64_t end, void *scratch) noexcept nogil
    enum:
        FC_KERNEL_COUNT
        FC_FIELD_IN
        FC_FIELD_PART
        FC_FIELD_OUT
        FC_FIELD_INOUT
        FC_FIELD_INT
        FC_FIELD_REAL
        FC_HYPER_COUNT
    ctypedef struct fc_field:
        const char *name
        const char *type
        int kind
        int optional
    ctypedef struct fc_kernel_info:
        const char *name
        int field_count
        const fc_field *fields
        void (*extents)(const void *args, int64_t *counts) noexcept nogil
        double (*flops)(const void *args) noexcept nogil
    const fc_kernel_info *fc_kernel_table()
    const fc_kernel *fc_kernels(fc_isa isa)
    fc_isa fc_best_isa()
    int fc_isa_usable(fc_isa isa)
    const char *fc_isa_name(fc_isa isa)
    const char *fc_cpu_features()
    const char *fc_compiler()
    uint64_t fc_denormals_off()
    void fc_denormals_restore(uint64_t state)

cdef enum:
    MAX_FIELDS = 48

HYPER_COUNT = FC_HYPER_COUNT
ALIGNMENT = 64

_DTYPES = {
    b"float": np.dtype(np.float32), b"double": np.dtype(np.float64), b"uint8_t": np.dtype(np.uint8),
    b"int32_t": np.dtype(np.int32), b"int64_t": np.dtype(np.int64), b"uint64_t": np.dtype(np.uint64),
}
_KINDS = {FC_FIELD_IN: "in", FC_FIELD_PART: "in", FC_FIELD_OUT: "out", FC_FIELD_INOUT: "inout", FC_FIELD_INT: "int", FC_FIELD_REAL: "real"}


class Field:
    """One argument of a kernel: name, kind ("in", "out", "inout", "int", "real"), dtype (of pointers), optional;
    table: only a part of it is read."""

    __slots__ = ("name", "kind", "dtype", "optional", "place", "table")

    def __init__(self, name, kind, dtype, optional, place, table):
        self.name, self.kind, self.dtype, self.optional, self.place = name, kind, dtype, optional, place
        self.table = table


class Kernel:
    """A kernel's name, its place in the table, and its arguments in order."""

    __slots__ = ("name", "index", "fields", "by_name", "pointers")

    def __init__(self, name, index, fields):
        self.name, self.index, self.fields = name, index, fields
        self.by_name = {f.name: f for f in fields}
        self.pointers = [f for f in fields if f.dtype is not None]


def _read_table():
    cdef const fc_kernel_info *table = fc_kernel_table()
    cdef int k, f
    kernels = {}
    for k in range(FC_KERNEL_COUNT):
        fields = []
        assert table[k].field_count <= MAX_FIELDS, table[k].name
        for f in range(table[k].field_count):
            fields.append(Field(table[k].fields[f].name.decode(), _KINDS[table[k].fields[f].kind],
                                _DTYPES.get(<bytes>table[k].fields[f].type), bool(table[k].fields[f].optional), f,
                                table[k].fields[f].kind == FC_FIELD_PART))
        name = table[k].name.decode()
        kernels[name] = Kernel(name, k, fields)
    return kernels


#: Every kernel by name.
KERNELS = _read_table()


# ---------------------------------------------------------------- instruction set and threads

cdef fc_isa _isa = FC_PORTABLE
cdef int _threads = 1
cdef bint _forked = False


def usable_isas():
    """Names of the instruction sets compiled in that this CPU runs, weakest first."""
    return [fc_isa_name(<fc_isa>i).decode() for i in range(FC_ISA_COUNT) if fc_isa_usable(<fc_isa>i)]


def isa():
    """Name of the instruction set in use."""
    return fc_isa_name(_isa).decode()


def set_isa(name):
    """Use the instruction set `name` from now on; programs already built keep theirs."""
    global _isa
    for i in range(FC_ISA_COUNT):
        if fc_isa_name(<fc_isa>i).decode() == name and fc_isa_usable(<fc_isa>i):
            _isa = <fc_isa>i
            return
    raise ValueError(f"instruction set {name!r} can't run here; usable: {', '.join(usable_isas())}")


def cpu_features():
    return fc_cpu_features().decode()


def compiler():
    return fc_compiler().decode()


def threads():
    return thread_limit()


def set_threads(int count):
    global _threads
    if count < 1:
        raise ValueError(f"num_threads must be at least 1, received {count}")
    _threads = count


#: Held for the moment in which lists and caches that several threads use are changed. A process forks only between two
#: such moments (`threads.start`), so that no child finds it taken.
lock = threading.Lock()


def after_fork_in_child():
    """OpenMP's workers don't live on in a forked child, and waiting for them would hang: run serially there."""
    global _forked
    _forked = True


# ---------------------------------------------------------------- the parallel loop

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
    double flops
    double size
    uint64_t words[MAX_FIELDS]


cdef void work(const fc_kernel *table, Step *steps, int first, int count, fc_progress *progress,
               char *scratch) noexcept nogil:
    """One worker's way through the steps: it takes shares of a step until none is left, waits until all are finished,
    and goes on. Which worker does which share never matters: tiles don't share what they write."""
    cdef int n
    cdef int64_t i
    cdef Step *s
    cdef uint64_t state = fc_denormals_off()
    for n in range(first, count):
        s = &steps[n]
        while True:
            i = fc_add(&progress[n].next, 1)
            if i >= s.shares:
                break
            table[s.kernel].run(s.words, s.tiles * i // s.shares, s.tiles * (i + 1) // s.shares, scratch)
            fc_add(&progress[n].done, 1)
        fc_wait_for(&progress[n], s.shares)
    fc_denormals_restore(state)


cdef void drive(const fc_kernel *table, Step *steps, int first, int count, int workers, fc_progress *progress,
                char *scratch, size_t stride) noexcept nogil:
    """All tiles of the steps first .. count - 1, on so many workers.

    One parallel region for all steps: opening and closing one costs microseconds, and closing it waits for every
    worker, also for one whose core another process has taken. Within the region a step waits for its shares only,
    so a worker that is late holds up nobody: the others do its part.
    """
    cdef int i
    cdef uint64_t state
    if workers <= 1:
        state = fc_denormals_off()
        for i in range(first, count):
            if steps[i].tiles > 0:
                table[steps[i].kernel].run(steps[i].words, 0, steps[i].tiles, scratch)
        fc_denormals_restore(state)
        return
    memset(progress, 0, count * sizeof(fc_progress))
    for i in prange(workers, num_threads=workers, schedule="static", chunksize=1):
        work(table, steps, first, count, progress, scratch + stride * i)


cdef int share_out(Step *steps, int count, int limit) noexcept nogil:
    """Cut each step into shares for at most `limit` workers; returns how many workers the largest step is worth."""
    cdef int n, workers, most = 1
    for n in range(count):
        workers = workers_for(steps[n].flops, steps[n].size, steps[n].tiles, limit)
        # A few shares a worker, so that one slowed by other processes doesn't hold up the rest.
        steps[n].shares = min(steps[n].tiles, <int64_t>workers * 4) if workers > 1 else min(steps[n].tiles, 1)
        most = max(most, workers)
    return most


#: Work of which so much is expected, in ns, is shared without asking whether that pays.
cdef enum:
    SURELY = 10000000


cdef double expected(Step *steps, int first, int count) noexcept nogil:
    """How long the steps may take on one core, in ns: more rather than less, as `workers_for` reckons."""
    cdef double ns = 0
    cdef int n
    for n in range(first, count):
        ns += steps[n].flops / 40.0 + steps[n].size / 10.0
    return ns


cdef void drive_or_not(fc_habit *habit, const fc_kernel *table, Step *steps, int first, int count, int workers,
                       fc_progress *progress, char *scratch, size_t stride) noexcept nogil:
    """`drive`, on one core where that has shown itself to be faster."""
    cdef double start
    cdef int shared
    if workers <= 1 or expected(steps, first, count) > SURELY:
        drive(table, steps, first, count, workers, progress, scratch, stride)
        return
    shared = fc_habit_shares(habit)
    start = fc_now()
    drive(table, steps, first, count, workers if shared else 1, progress, scratch, stride)
    fc_habit_learn(habit, shared, fc_now() - start)


cdef int workers_for(double flops, double size, int64_t tiles, int limit) noexcept nogil:
    """How many threads the work may be worth. Handing a share to another core costs a microsecond or two, so each
    worker must get more than about 5 us of work, taken at 40 GFLOP/s and 10 GB/s a core."""
    cdef double ns = flops / 40.0 + size / 10.0
    cdef double worth = ns / 5000.0
    if worth < 2 or tiles < 2:
        return 1
    return <int>min(<double>min(limit, tiles), worth)


cdef inline void *np_data(cnp.ndarray array):
    return cnp.PyArray_DATA(array)


cdef inline int thread_limit() noexcept nogil:
    return 1 if _forked else _threads


def aligned_empty(size_t nbytes):
    """Uninitialised bytes, aligned to a cache line."""
    raw = np.empty(nbytes + ALIGNMENT, dtype=np.uint8)
    cdef size_t skip = (-<uintptr_t>np_data(raw)) % <size_t>ALIGNMENT
    return raw[skip:skip + nbytes]


# ---------------------------------------------------------------- one kernel with its arguments

cdef class Call:
    """One kernel with its numbers filled in; pointers may come later (Program)."""

    cdef uint64_t words[MAX_FIELDS]
    cdef int64_t counts[MAX_FIELDS]
    cdef int64_t tiles
    cdef size_t scratch
    cdef double work_flops, work_bytes
    cdef readonly object kernel

    def __init__(self, name, numbers):
        cdef int64_t integer
        cdef double real
        cdef int i
        kernel = self.kernel = KERNELS[name]
        for i in range(MAX_FIELDS):
            self.words[i] = 0
        for field in kernel.fields:
            if field.kind == "int":
                integer = numbers[field.name]
                self.words[<int>field.place] = <uint64_t>integer
            elif field.kind == "real":
                real = numbers[field.name]
                memcpy(&self.words[<int>field.place], &real, 8)
        for key in numbers:
            if key not in kernel.by_name:
                raise TypeError(f"kernel {name} has no argument {key!r}; it has {', '.join(kernel.by_name)}")
        cdef const fc_kernel_info *info = &fc_kernel_table()[<int>kernel.index]
        info.extents(self.words, self.counts)
        self.work_flops = info.flops(self.words)
        self.work_bytes = 0
        for i, field in enumerate(kernel.pointers):
            if self.counts[i] < 0:
                raise ValueError(f"kernel {name}: negative extent of {field.name!r}")
            if not field.table:
                self.work_bytes += self.counts[i] * field.dtype.itemsize

    cdef int prepare(self, fc_isa which) except -1:
        cdef const fc_kernel *kernel = &fc_kernels(which)[<int>self.kernel.index]
        self.tiles = kernel.tiles(self.words)
        self.scratch = (kernel.scratch(self.words) + 63) // 64 * 64
        return 0

    cdef void fill(self, Step *step) noexcept:
        step.kernel, step.tiles, step.shares = self.kernel.index, self.tiles, 0
        step.flops, step.size = self.work_flops, self.work_bytes
        memcpy(step.words, self.words, sizeof(self.words))

    @property
    def flops(self):
        return self.work_flops

    @property
    def bytes(self):
        return self.work_bytes

    def needed(self):
        """Bytes behind each pointer, by name."""
        return {f.name: self.counts[i] * f.dtype.itemsize for i, f in enumerate(self.kernel.pointers)}

    cdef int point(self, field, int pointer, array) except -1:
        """Check one array against the kernel's contract and set its address."""
        if array is None:
            if not field.optional:
                raise TypeError(f"kernel {self.kernel.name}: {field.name!r} is missing")
            self.words[<int>field.place] = 0
            return 0
        if array.dtype != field.dtype:
            raise TypeError(f"kernel {self.kernel.name}: {field.name!r} must be {field.dtype}, received {array.dtype}")
        if not array.flags.c_contiguous or not array.flags.aligned:
            raise ValueError(f"kernel {self.kernel.name}: {field.name!r} must be C-contiguous and aligned")
        if field.kind != "in" and not array.flags.writeable:
            raise ValueError(f"kernel {self.kernel.name}: {field.name!r} is read-only")
        if array.size < self.counts[pointer]:
            raise ValueError(f"kernel {self.kernel.name}: {field.name!r} must hold {self.counts[pointer]} elements, "
                             f"received {array.size}")
        self.words[<int>field.place] = <uint64_t><uintptr_t>np_data(array)
        return 0


#: What is known of kernels that were called alone, by the kernel and the powers of two of its work.
cdef fc_habit habits[FC_KERNEL_COUNT][32]


cdef inline fc_habit *habit_of(Step *step) noexcept nogil:
    cdef double ns = expected(step, 0, 1)
    cdef int power = 0
    while power < 31 and ns >= 2:
        ns /= 2
        power += 1
    return &habits[step.kernel][power]


def call(str name, **arguments):
    """Run one kernel now. Pointers are C-contiguous arrays of the kernel's dtype; all arguments by name."""
    kernel = KERNELS[name]
    arrays = {f.name: arguments.pop(f.name, None) for f in kernel.pointers}
    cdef Call c = Call(name, arguments)
    cdef int i
    for i, field in enumerate(kernel.pointers):
        c.point(field, i, arrays[field.name])
    cdef fc_isa which = _isa
    c.prepare(which)
    cdef Step step
    cdef fc_progress progress
    c.fill(&step)
    cdef int workers = share_out(&step, 1, thread_limit())
    scratch = aligned_empty(c.scratch * workers)
    cdef char *memory = <char *>np_data(scratch)
    cdef const fc_kernel *table = fc_kernels(which)
    cdef size_t stride = c.scratch
    with nogil:
        drive_or_not(habit_of(&step), table, &step, 0, 1, workers, &progress, memory, stride)


# ---------------------------------------------------------------- programs

class Arena:
    """A place in a program's arena: byte offset and size."""

    __slots__ = ("offset", "nbytes")

    def __init__(self, offset, nbytes):
        self.offset, self.nbytes = offset, nbytes


class Slot:
    """An array that the caller brings with each run: its place in the list, dtype and element count."""

    __slots__ = ("index", "dtype", "size", "name")

    def __init__(self, index, dtype, size, name):
        self.index, self.dtype, self.size, self.name = index, np.dtype(dtype), size, name


cdef struct Patch:
    int step
    int word
    int slot


cdef class Runner:
    """One running copy of a program: its own arena, argument structs and scratch."""

    cdef Step *steps
    cdef fc_progress *progress
    cdef int count
    cdef object arena, scratch
    cdef char *memory
    cdef int limit, workers
    cdef int64_t prologue_version
    cdef fc_habit habit

    def __dealloc__(self):
        free(self.steps)
        free(self.progress)


cdef class Program:
    """A list of kernels run in order, in one call, without the GIL. Safe to run from many threads at once.

    Parameters
    ----------
    steps : list of (kernel name, dict of arguments)
        Pointer arguments are `Arena` or `Slot` places, fixed arrays, or None; the others are numbers.
    arena_bytes : int
        Size of the memory that `Arena` places lie in.
    slots : list of Slot
        What every `run` must bring, in the order of their index.
    prologue : int
        The first so many steps depend on fixed arrays only: they are run again only when `version` changed.
    """

    cdef list calls, places, idle
    cdef set written  # indices of the slots that a kernel writes
    cdef readonly list slots
    cdef readonly size_t arena_bytes
    cdef int prologue, patch_count
    cdef Patch *patches
    cdef size_t stride
    cdef fc_isa which

    def __init__(self, steps, arena_bytes, slots, prologue=0):
        cdef Call call
        self.which = _isa
        self.slots = list(slots)
        self.arena_bytes = arena_bytes
        self.prologue = prologue
        self.idle, self.calls, self.places = [], [], []
        self.written = set()
        self.stride = 0
        for name, args in steps:
            kernel = KERNELS[name]
            numbers = {k: v for k, v in args.items() if k not in kernel.by_name or kernel.by_name[k].dtype is None}
            call = Call(name, numbers)
            places = [args.get(field.name) for field in kernel.pointers]
            self._check(call, places)
            call.prepare(self.which)
            self.stride = max(self.stride, call.scratch)
            self.calls.append(call)
            self.places.append(places)
        self._list_patches()

    def __dealloc__(self):
        free(self.patches)

    cdef int _check(self, Call call, list places) except -1:
        cdef int i
        for i, field in enumerate(call.kernel.pointers):
            place = places[i]
            need = call.counts[i] * field.dtype.itemsize
            if isinstance(place, Arena):
                if place.nbytes < need or place.offset < 0 or place.offset + place.nbytes > self.arena_bytes:
                    raise ValueError(f"kernel {call.kernel.name}: {field.name!r} needs {need} bytes of the arena, "
                                     f"received {place.nbytes} at {place.offset} of {self.arena_bytes}")
            elif isinstance(place, Slot):
                if place.dtype != field.dtype or place.size < call.counts[i]:
                    raise ValueError(f"kernel {call.kernel.name}: {field.name!r} needs {call.counts[i]} x {field.dtype}, "
                                     f"slot {place.name!r} has {place.size} x {place.dtype}")
                if field.kind != "in":
                    self.written.add(place.index)
            else:
                call.point(field, i, place)
        return 0

    cdef int _list_patches(self) except -1:
        cdef int n = 0
        found = [(step, field.place, place.index)
                 for step, (call, places) in enumerate(zip(self.calls, self.places))
                 for field, place in zip(call.kernel.pointers, places) if isinstance(place, Slot)]
        self.patches = <Patch *>malloc(max(1, len(found)) * sizeof(Patch))
        if self.patches == NULL:
            raise MemoryError()
        for step, word, slot in found:
            self.patches[n] = Patch(step, word, slot)
            n += 1
        self.patch_count = n
        return 0

    cdef Runner _new_runner(self):
        cdef Runner r = Runner.__new__(Runner)
        cdef Call call
        cdef Step *step
        cdef uintptr_t base
        cdef int n
        r.count = len(self.calls)
        r.steps = <Step *>malloc(max(1, r.count) * sizeof(Step))
        r.progress = <fc_progress *>malloc(max(1, r.count) * sizeof(fc_progress))
        if r.steps == NULL or r.progress == NULL:
            raise MemoryError()
        r.arena = aligned_empty(self.arena_bytes)
        base = <uintptr_t>np_data(r.arena)
        r.prologue_version = -1
        for n in range(r.count):
            call = self.calls[n]
            step = &r.steps[n]
            call.fill(step)
            for field, place in zip(call.kernel.pointers, self.places[n]):
                if isinstance(place, Arena):
                    step.words[<int>field.place] = <uint64_t>(base + <uintptr_t>place.offset)
        return r

    def run(self, list arrays, int64_t version=0):
        """Run all steps on `arrays`, one for each slot: C-contiguous, of the slot's dtype and size."""
        cdef Runner r
        if len(arrays) != len(self.slots):
            raise TypeError(f"program takes {len(self.slots)} arrays, received {len(arrays)}")
        for slot, array in zip(self.slots, arrays):
            if (array.dtype != slot.dtype or array.size < slot.size or not array.flags.c_contiguous
                    or not array.flags.aligned):
                raise ValueError(f"slot {slot.name!r} takes {slot.size} x {slot.dtype}, C-contiguous and aligned; "
                                 f"received {array.shape} {array.dtype}")
            if slot.index in self.written and not array.flags.writeable:
                raise ValueError(f"slot {slot.name!r} is written to, and the array received is read-only")
        with lock:
            r = self.idle.pop() if self.idle else None
        if r is None:
            r = self._new_runner()
        try:
            self._execute(r, arrays, version)
        finally:
            with lock:
                if len(self.idle) < 4:
                    self.idle.append(r)

    cdef int _execute(self, Runner r, list arrays, int64_t version) except -1:
        cdef int n, first = 0, limit = thread_limit()
        cdef Patch *p
        cdef const fc_kernel *table = fc_kernels(self.which)
        if r.limit != limit:
            # No limit while the two disagree, in case there is no memory for the new scratch.
            r.limit = 0
            r.workers = share_out(r.steps, r.count, limit)
            r.scratch = aligned_empty(self.stride * r.workers)
            r.memory = <char *>np_data(r.scratch)
            r.limit = limit
        for n in range(self.patch_count):
            p = &self.patches[n]
            r.steps[p.step].words[p.word] = <uint64_t><uintptr_t>np_data(arrays[p.slot])
        if self.prologue and r.prologue_version == version:
            first = self.prologue
        r.prologue_version = -1
        with nogil:
            drive_or_not(&r.habit, table, r.steps, first, r.count, r.workers, r.progress, r.memory, self.stride)
        r.prologue_version = version
        return 0
