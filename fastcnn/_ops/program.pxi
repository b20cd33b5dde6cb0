# Part of core.pyx: lists of kernels with one arena of memory behind them.

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


cdef struct SlotCheck:
    int type  # NumPy's number of the dtype
    int64_t size
    bint written


cdef class Runner:
    """One running copy of a program: its own arena, argument structs and memory for its workers."""

    cdef Step *steps
    cdef int count
    cdef object arena, room
    cdef char *memory
    cdef int limit, workers
    cdef int64_t prologue_version
    cdef fc_habit habit

    def __dealloc__(self):
        free(self.steps)


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
    cdef readonly list slots
    cdef SlotCheck *checks  # one for each slot
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
        self.checks = <SlotCheck *>malloc(max(1, len(self.slots)) * sizeof(SlotCheck))
        if self.checks == NULL:
            raise MemoryError()
        for place, slot in enumerate(self.slots):
            self.checks[<int>place] = SlotCheck(slot.dtype.num, slot.size, False)
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
        free(self.checks)

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
                    self.checks[<int>place.index].written = True
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
        if r.steps == NULL:
            raise MemoryError()
        r.arena = paged_empty(self.arena_bytes)
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
        cdef int i
        if len(arrays) != len(self.slots):
            raise TypeError(f"program takes {len(self.slots)} arrays, received {len(arrays)}")
        for i in range(len(arrays)):
            self._check_array(i, arrays[i])
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

    cdef int _check_array(self, int i, cnp.ndarray array) except -1:
        """Whether it may take the place of slot i. In C: predictions of one picture notice each microsecond."""
        cdef SlotCheck *check = &self.checks[i]
        # Two numbers may stand for one dtype: long and long long.
        if ((cnp.PyArray_TYPE(array) != check.type and array.dtype != self.slots[i].dtype)
                or cnp.PyArray_ISBYTESWAPPED(array) or cnp.PyArray_SIZE(array) < check.size
                or not cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED)):
            slot = self.slots[i]
            raise ValueError(f"slot {slot.name!r} takes {slot.size} x {slot.dtype}, C-contiguous and aligned; "
                             f"received {(<object>array).shape} {array.dtype}")
        if check.written and not cnp.PyArray_ISWRITEABLE(array):
            raise ValueError(f"slot {self.slots[i].name!r} is written to, and the array received is read-only")
        return 0

    cdef int _execute(self, Runner r, list arrays, int64_t version) except -1:
        cdef int n, first = 0, limit = thread_limit()
        cdef Patch *p
        cdef const fc_kernel *table = fc_kernels(self.which)
        if r.limit != limit:
            # No limit while the two disagree, in case there is no memory for the new scratch.
            r.limit = 0
            r.workers = share_out(r.steps, r.count, limit)
            r.room = paged_empty(memory_bytes(r.count, r.workers, self.stride))
            r.memory = <char *>np_data(r.room)
            r.limit = limit
        for n in range(self.patch_count):
            p = &self.patches[n]
            r.steps[p.step].words[p.word] = <uint64_t><uintptr_t>np_data(arrays[p.slot])
        if self.prologue and r.prologue_version == version:
            first = self.prologue
        r.prologue_version = -1
        with nogil:
            drive_or_not(&r.habit, table, r.steps, first, r.count, r.workers, r.memory, self.stride)
        r.prologue_version = version
        return 0
