# distutils: language = c
# cython: cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The one place where Python meets the kernels: arguments are checked, tiles are shared over threads.

`call` runs one kernel. `Program` holds a list of kernels with one arena of memory behind it and runs them
all in one call without the GIL (program.pxi). Both go through `drive`, the only parallel loop there is (driver.pxi).
"""

import threading

import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.stdlib cimport free, getenv, malloc
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
_KINDS = {
    FC_FIELD_IN: "in", FC_FIELD_PART: "in", FC_FIELD_OUT: "out", FC_FIELD_INOUT: "inout", FC_FIELD_INT: "int",
    FC_FIELD_REAL: "real",
}


class Field:
    """One argument of a kernel: name, kind ("in", "out", "inout", "int", "real"), dtype (of pointers), optional;
    part: of the array only a part is read."""

    __slots__ = ("name", "kind", "dtype", "optional", "place", "part")

    def __init__(self, name, kind, dtype, optional, place, part):
        self.name, self.kind, self.dtype, self.optional, self.place = name, kind, dtype, optional, place
        self.part = part


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


def environment(bytes name):
    """An environment variable as it is now, b"" without it. os.environ, whose changes it sees, takes a microsecond."""
    cdef const char *value = getenv(name)
    return b"" if value == NULL else <bytes>value


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


include "driver.pxi"


cdef inline void *np_data(cnp.ndarray array):
    return cnp.PyArray_DATA(array)


cdef inline int thread_limit() noexcept nogil:
    return 1 if _forked else _threads


def aligned_empty(size_t nbytes):
    """Uninitialised bytes, aligned to a cache line."""
    return _aligned(nbytes, nbytes + ALIGNMENT, ALIGNMENT)


cdef enum:
    HUGE_PAGE = 1 << 21
    ASKS_FOR_HUGE_PAGES = 1 << 22  # NumPy does, for arrays of so many bytes


cdef paged_empty(size_t nbytes):
    """The same, on huge pages where it fills half of one and the system has them.

    A worker's scratch memory is some 300 small pages, which is more than the first-level TLB knows, and where they
    lie in the caches is chance. What is asked for beyond `nbytes` is never touched.
    """
    if nbytes < HUGE_PAGE // 2:
        return aligned_empty(nbytes)
    return _aligned(nbytes, max(nbytes + HUGE_PAGE, <size_t>ASKS_FOR_HUGE_PAGES), HUGE_PAGE)


cdef _aligned(size_t nbytes, size_t room, size_t alignment):
    raw = np.empty(room, dtype=np.uint8)
    cdef size_t skip = (-<uintptr_t>np_data(raw)) % alignment
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
            if not field.part:
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
    cdef double ns = expected(step)
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
    c.fill(&step)
    cdef int workers = share_out(&step, 1, thread_limit())
    room = aligned_empty(memory_bytes(1, workers, c.scratch))
    cdef char *memory = <char *>np_data(room)
    cdef const fc_kernel *table = fc_kernels(which)
    cdef size_t stride = c.scratch
    with nogil:
        drive_or_not(habit_of(&step), table, &step, 0, 1, workers, memory, stride)


include "program.pxi"
