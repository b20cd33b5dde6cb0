/* Runs the kernels of one instruction set on cases written by write_cases.py, between guard pages.
 *
 * Every array lies against a page that can't be touched, arrays that a kernel only reads can't be written,
 * and the rest of the array's own pages is filled with a pattern that must survive. Each case runs three
 * times:
 *
 * - END: arrays end at a guard page; all tiles in one go.
 *
 * - START: arrays start after a guard page; tile by tile, the last first, scratch spoiled before each.
 *
 * - SHIFT: arrays aligned to their elements only; two shares, the second first.
 *
 * The first result is compared with the reference's, the others with the first, bit for bit.
 *
 * Built with -DFC_TABLE=fc_table_<isa> -DFC_TABLE_ISA=FC_<ISA>. Usage: run_cases cases.txt cases.bin
 */
#define _GNU_SOURCE
#include "fastcnn.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
extern const fc_kernel FC_TABLE[];
int fc_cpu_runs(fc_isa isa);

enum { MAX_FIELDS = 48, MAX_BUFFERS = 256, MAX_STEPS = 64, NAME = 128 };
enum { END, START, SHIFT, MODES };
static const char *const mode_names[MODES] = {"end", "start", "shift"};

typedef struct {
    char type[16];
    size_t item; /* bytes of one element */
    int64_t count;
    int64_t initial, expected;   /* offsets in the data file, -1 if there is none */
    unsigned char *state[MODES]; /* the content between steps */
} buffer;

typedef struct {
    int kernel;
    uint64_t words[MAX_FIELDS]; /* numbers; for a pointer the buffer's number + 1, 0 for none */
} step;

typedef struct {
    char name[NAME];
    double atol, rtol;
    int buffer_count, step_count;
    buffer buffers[MAX_BUFFERS];
    step steps[MAX_STEPS];
} test_case;

static test_case current;
static const unsigned char *data;
static int failures;
static int64_t runs[FC_KERNEL_COUNT];
static double
    worst[FC_KERNEL_COUNT];   /* largest |err| / (atol + rtol |ref|) of cases that end with the kernel */
static char place[NAME + 64]; /* what is running, for the signal handler */
static struct sigaction previous;

static void die(const char *what) {
    fprintf(stderr, "run_cases: %s (%s)\n", what, current.name);
    exit(2);
}

static void fail(const char *what) {
    printf("FAIL %s: %s\n", place, what);
    failures++;
}

/* Says which kernel touched a guard page, then lets the fault happen again under the former handler. */
static void on_fault(int signal_number) {
    static const char text[] = "run_cases: memory fault in ";
    (void)!write(2, text, sizeof text - 1);
    (void)!write(2, place, strlen(place));
    (void)!write(2, "\n", 1);
    sigaction(signal_number, &previous, NULL);
}

/* ---- memory between guard pages ---- */

typedef struct {
    unsigned char *map, *at;
    size_t map_size, size, page;
} guarded;

static const unsigned char PATTERN = 0xa5;

/* `size` bytes, `align`ed, at the end or the beginning of their pages, or `shift` bytes after the beginning.
 */
static guarded guard(size_t size, size_t align, int mode, size_t shift) {
    guarded g;
    g.page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t offset = mode == SHIFT ? shift : 0;
    const size_t body = FC_ROUND_UP(size + offset, g.page);
    g.size = size;
    g.map_size = body + 2 * g.page;
    g.map = mmap(NULL, g.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) die("out of memory");
    g.at = g.map + g.page + offset;
    if (mode == END) {
        g.at = g.map + g.page + body - size;
        g.at -= (uintptr_t)g.at % align;
    }
    memset(g.map + g.page, PATTERN, body);
    if (mprotect(g.map, g.page, PROT_NONE) || mprotect(g.map + g.page + body, g.page, PROT_NONE))
        die("can't guard memory");
    return g;
}

static void make_read_only(const guarded *g) {
    const size_t body = g->map_size - 2 * g->page;
    if (body > 0 && mprotect(g->map + g->page, body, PROT_READ)) die("can't protect memory");
}

/* Whether the bytes around the array, within its pages, are as they were. */
static int untouched(const guarded *g) {
    const unsigned char *first = g->map + g->page, *last = g->map + g->map_size - g->page;
    for (const unsigned char *p = first; p < g->at; p++)
        if (*p != PATTERN) return 0;
    for (const unsigned char *p = g->at + g->size; p < last; p++)
        if (*p != PATTERN) return 0;
    return 1;
}

static void release(guarded *g) { munmap(g->map, g->map_size); }

/* ---- reading cases ---- */

static size_t item_size(const char *type) {
    if (!strcmp(type, "float") || !strcmp(type, "int32_t")) return 4;
    return !strcmp(type, "uint8_t") ? 1 : 8;
}

static int kernel_named(const char *name) {
    for (int k = 0; k < FC_KERNEL_COUNT; k++)
        if (!strcmp(fc_kernel_table()[k].name, name)) return k;
    die("unknown kernel");
    return 0;
}

static void read_step(FILE *file, step *s) {
    char word[NAME];
    if (fscanf(file, " step %127s", word) != 1) die("bad step");
    s->kernel = kernel_named(word);
    const fc_kernel_info *info = &fc_kernel_table()[s->kernel];
    if (info->field_count > MAX_FIELDS) die("too many fields");
    for (int f = 0; f < info->field_count; f++) {
        if (fscanf(file, "%127s", word) != 1) die("bad field");
        if (info->fields[f].kind == FC_FIELD_REAL) {
            const double value = strtod(word, NULL);
            memcpy(&s->words[f], &value, 8);
        } else if (info->fields[f].kind == FC_FIELD_INT) {
            s->words[f] = (uint64_t)strtoll(word, NULL, 10);
        } else {
            s->words[f] = (uint64_t)(strtoll(word, NULL, 10) + 1);
        }
    }
}

/* The next case into `current`; 0 at the end of the file. */
static int read_case(FILE *file) {
    const int got = fscanf(file, " case %127s %lf %lf %d %d", current.name, &current.atol, &current.rtol,
                           &current.buffer_count, &current.step_count);
    if (got == EOF) return 0;
    if (got != 5 || current.buffer_count > MAX_BUFFERS || current.step_count > MAX_STEPS) die("bad case");
    for (int i = 0; i < current.buffer_count; i++) {
        buffer *b = &current.buffers[i];
        long long count, initial, expected;
        if (fscanf(file, " buffer %15s %lld %lld %lld", b->type, &count, &initial, &expected) != 4)
            die("bad buffer");
        b->count = count, b->initial = initial, b->expected = expected;
        b->item = item_size(b->type);
        for (int mode = 0; mode < MODES; mode++) {
            const size_t size = (size_t)count * b->item;
            b->state[mode] = malloc(size + 1);
            if (!b->state[mode]) die("out of memory");
            if (initial >= 0)
                memcpy(b->state[mode], data + initial, size);
            else
                memset(b->state[mode], 0xff, size); /* NaN */
        }
    }
    for (int i = 0; i < current.step_count; i++) read_step(file, &current.steps[i]);
    return 1;
}

static const unsigned char *read_data(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) die("can't read the data file");
    const size_t size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(size + 1);
    if (!bytes || fread(bytes, 1, size, file) != size) die("can't read the data file");
    fclose(file);
    return bytes;
}

/* ---- running ---- */

/* The thread's floating-point mode, without the flags that arithmetic raises. */
static uint64_t floating_point_mode(void) {
    const uint64_t state = fc_denormals_off();
    fc_denormals_restore(state);
#if defined(__x86_64__)
    return state & ~UINT64_C(0x3f);
#else
    return state;
#endif
}

/* A worker's scratch memory before the first run: garbage, but for the eight bytes of the contract. */
static void spoil(const guarded *scratch, size_t size) {
    memset(scratch->at, 0xff, size);
    memset(scratch->at, 0, size < 8 ? size : 8);
}

static void run_tiles(const fc_kernel *kernel, const void *args, int mode) {
    const int64_t tiles = kernel->tiles(args);
    const size_t size = kernel->scratch(args);
    guarded scratch = guard(size, 64, mode, 64);
    if (tiles < 0) fail("a negative number of tiles");
    spoil(&scratch, size);
    if (mode == START) {
        for (int64_t tile = tiles; tile-- > 0;) {
            spoil(&scratch, size);
            kernel->run(args, tile, tile + 1, scratch.at);
        }
    } else if (mode == END && tiles > 0) {
        kernel->run(args, 0, tiles, scratch.at);
    } else if (tiles > 0) {
        kernel->run(args, tiles / 2, tiles, scratch.at);
        if (tiles > 1) kernel->run(args, 0, tiles / 2, scratch.at);
    }
    if (!untouched(&scratch)) fail("wrote outside its scratch memory");
    release(&scratch);
}

/* One step: its buffers into guarded memory, the kernel, and the results back. */
static void run_step(const step *s, int mode) {
    const fc_kernel_info *info = &fc_kernel_table()[s->kernel];
    uint64_t args[MAX_FIELDS] = {0};
    int64_t counts[MAX_FIELDS];
    guarded memory[MAX_FIELDS];
    int field_of[MAX_FIELDS], pointers = 0, writable[MAX_FIELDS] = {0};
    memcpy(args, s->words, sizeof args);
    info->extents(s->words, counts);
    snprintf(place, sizeof place, "%s: %s (%s)", current.name, info->name, mode_names[mode]);
    for (int f = 0, p = 0; f < info->field_count; f++) {
        const fc_field *field = &info->fields[f];
        if (field->kind == FC_FIELD_INT || field->kind == FC_FIELD_REAL) continue;
        const int64_t count = counts[p++];
        if (s->words[f] == 0) continue;
        /* Two fields with one buffer are "in place": one piece of memory. */
        int first = 0;
        while (first < pointers && s->words[field_of[first]] != s->words[f]) first++;
        if (first == pointers) {
            const buffer *b = &current.buffers[s->words[f] - 1];
            if (strcmp(b->type, field->type) || b->count < count) die("a buffer doesn't fit its field");
            /* Packed weights are the one argument that is aligned to more than its elements. */
            const size_t align = !strcmp(field->name, "packed") ? 64 : b->item;
            memory[first] = guard((size_t)count * b->item, align, mode, align);
            memcpy(memory[first].at, b->state[mode], memory[first].size);
            field_of[pointers++] = f;
        }
        writable[first] |= field->kind != FC_FIELD_IN;
        args[f] = (uint64_t)(uintptr_t)memory[first].at;
    }
    for (int i = 0; i < pointers; i++)
        if (!writable[i]) make_read_only(&memory[i]);
    const uint64_t saved = fc_denormals_off(), before = floating_point_mode();
    run_tiles(&FC_TABLE[s->kernel], args, mode);
    if (floating_point_mode() != before) fail("changed the floating-point mode");
    fc_denormals_restore(saved);
    for (int i = 0; i < pointers; i++) {
        buffer *b = &current.buffers[s->words[field_of[i]] - 1];
        if (writable[i] && !untouched(&memory[i])) fail("wrote outside an array");
        memcpy(b->state[mode], memory[i].at, memory[i].size);
        release(&memory[i]);
    }
}

/* ---- comparing ---- */

static void compare_floats(const buffer *b, int number) {
    const int last = current.steps[current.step_count - 1].kernel;
    char text[160];
    for (int64_t i = 0; i < b->count; i++) {
        float single;
        double got, wanted;
        if (b->item == 8)
            memcpy(&got, b->state[END] + 8 * i, 8);
        else {
            memcpy(&single, b->state[END] + 4 * i, 4);
            got = single;
        }
        memcpy(&wanted, data + b->expected + 8 * i, 8);
        const double error = fabs(got - wanted), allowed = current.atol + current.rtol * fabs(wanted);
        if ((isnan(got) && isnan(wanted)) || got == wanted) continue;
        if (!(error <= allowed) || isinf(wanted)) {
            snprintf(text, sizeof text, "buffer %d, element %lld is %.9g, expected %.9g", number,
                     (long long)i, got, wanted);
            fail(text);
            return;
        }
        if (error / allowed > worst[last]) worst[last] = error / allowed;
    }
}

static void compare(void) {
    char text[96];
    snprintf(place, sizeof place, "%s", current.name);
    for (int i = 0; i < current.buffer_count; i++) {
        const buffer *b = &current.buffers[i];
        const size_t size = (size_t)b->count * b->item;
        for (int mode = END + 1; mode < MODES; mode++)
            if (memcmp(b->state[END], b->state[mode], size)) {
                snprintf(text, sizeof text, "buffer %d: other bits than in the first run (%s)", i,
                         mode_names[mode]);
                fail(text);
            }
        if (b->expected < 0) continue;
        if (!strcmp(b->type, "float") || !strcmp(b->type, "double"))
            compare_floats(b, i);
        else if (memcmp(b->state[END], data + b->expected, size)) {
            snprintf(text, sizeof text, "buffer %d is not as expected", i);
            fail(text);
        }
    }
}

static void run_case(void) {
    for (int mode = 0; mode < MODES; mode++)
        for (int i = 0; i < current.step_count; i++) run_step(&current.steps[i], mode);
    compare();
    for (int i = 0; i < current.step_count; i++) runs[current.steps[i].kernel]++;
    for (int i = 0; i < current.buffer_count; i++)
        for (int mode = 0; mode < MODES; mode++) free(current.buffers[i].state[mode]);
}

int main(int argc, char **argv) {
    if (argc != 3) die("usage: run_cases cases.txt cases.bin");
    if (!fc_cpu_runs(FC_TABLE_ISA)) {
        printf("skipped: this processor does not run %s\n", TEXT(FC_TABLE));
        return 77;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* what failed is seen even if a later kernel crashes */
    struct sigaction action = {0};
    action.sa_handler = on_fault;
    sigaction(SIGSEGV, &action, &previous);
    FILE *file = fopen(argv[1], "r");
    if (!file) die("can't read the case file");
    data = read_data(argv[2]);
    int cases = 0, kernels = 0;
    for (; read_case(file); cases++) run_case();
    fclose(file);
    free((void *)data);
    for (int k = 0; k < FC_KERNEL_COUNT; k++) {
        const char *name = fc_kernel_table()[k].name;
        kernels += runs[k] > 0;
        printf("%-28s %5lld runs, largest error %3.0f %% of what is allowed\n", name,
               (long long)(MODES * runs[k]), 100 * worst[k]);
        if (!runs[k]) {
            snprintf(place, sizeof place, "%s", name);
            fail("no case runs it");
        }
    }
    printf("%s: %d cases, %d kernels, %d failures\n", TEXT(FC_TABLE), cases, kernels, failures);
    return failures > 0;
}
