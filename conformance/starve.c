#include "starve.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"
#include "result.h"
#include "strict.h"

static atomic_ulong count, fails_at; /* fails_at 0: nothing fails */
static atomic_bool goes_on, has_failed;

static bool must_fail(const char *function, const void *caller) {
    unsigned long at = atomic_load(&fails_at);
    if (at == 0)
        return false;
    unsigned long n = atomic_fetch_add(&count, 1) + 1;
    if (n < at || (n > at && !atomic_load(&goes_on)))
        return false;
    Dl_info info;
    if (n == at && caller && dladdr(caller, &info) && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        result_say(RESULT_WHERE, "allocation %lu failed: %s(), called at %s+0x%zx%s%s", n, function,
                   slash ? slash + 1 : info.dli_fname,
                   (size_t)((const char *)caller - (char *)info.dli_fbase), info.dli_sname ? " in " : "",
                   info.dli_sname ? info.dli_sname : "");
    } else if (n == at) {
        result_say(RESULT_WHERE, "allocation %lu failed: the host's %s()", n, function);
    }
    atomic_store(&has_failed, true);
    return true;
}

static bool host_must_fail(const char *function) {
    return must_fail(function, NULL);
}

void starve_begin(unsigned long n, bool on) {
    atomic_store(&count, 0);
    atomic_store(&has_failed, false);
    atomic_store(&goes_on, on);
    strict_starve(host_must_fail);
    atomic_store(&fails_at, n);
}

unsigned long starve_end(bool *ret_failed) {
    atomic_store(&fails_at, 0);
    strict_starve(NULL);
    result_say(RESULT_WHERE, "%s", "");
    *ret_failed = atomic_load(&has_failed);
    return atomic_load(&count);
}

/* ---- what stands in for the C library ------------------------------------------------------ */

#define REFUSED(name) (must_fail(name, __builtin_return_address(0)) && ((errno = ENOMEM), true))

static void *poor_malloc(size_t size) {
    return REFUSED("malloc") ? NULL : malloc(size);
}
static void *poor_calloc(size_t n, size_t size) {
    return REFUSED("calloc") ? NULL : calloc(n, size);
}
static void *poor_realloc(void *old, size_t size) {
    return REFUSED("realloc") ? NULL : realloc(old, size);
}
static void *poor_reallocarray(void *old, size_t n, size_t size) {
    return REFUSED("reallocarray") ? NULL : reallocarray(old, n, size);
}
static void *poor_aligned_alloc(size_t alignment, size_t size) {
    return REFUSED("aligned_alloc") ? NULL : aligned_alloc(alignment, size);
}
static void *poor_memalign(size_t alignment, size_t size) {
    return REFUSED("memalign") ? NULL : memalign(alignment, size);
}
static int poor_posix_memalign(void **ret, size_t alignment, size_t size) {
    return REFUSED("posix_memalign") ? ENOMEM : posix_memalign(ret, alignment, size);
}
static char *poor_strdup(const char *text) {
    return REFUSED("strdup") ? NULL : strdup(text);
}
static char *poor_strndup(const char *text, size_t n) {
    return REFUSED("strndup") ? NULL : strndup(text, n);
}
__attribute__((format(printf, 2, 0))) static int poor_vasprintf(char **ret, const char *format,
                                                                va_list args) {
    return REFUSED("vasprintf") ? -1 : vasprintf(ret, format, args);
}
__attribute__((format(printf, 2, 3))) static int poor_asprintf(char **ret, const char *format, ...) {
    if (REFUSED("asprintf"))
        return -1;
    va_list args;
    va_start(args, format);
    int n = vasprintf(ret, format, args);
    va_end(args);
    return n;
}
static FILE *poor_open_memstream(char **ret, size_t *ret_len) {
    return REFUSED("open_memstream") ? NULL : open_memstream(ret, ret_len);
}

typedef void any_fn(void);
static const struct stand_in {
    const char *name;
    any_fn *fn;
} stand_ins[] = {
#define STAND_IN(name) \
    { #name, (any_fn *)poor_##name }
    STAND_IN(malloc),
    STAND_IN(calloc),
    STAND_IN(realloc),
    STAND_IN(reallocarray),
    STAND_IN(aligned_alloc),
    STAND_IN(memalign),
    STAND_IN(posix_memalign),
    STAND_IN(strdup),
    STAND_IN(strndup),
    STAND_IN(vasprintf),
    STAND_IN(asprintf),
    STAND_IN(open_memstream),
    /* Fortified. */
    {"__strdup", (any_fn *)poor_strdup},
    {"__strndup", (any_fn *)poor_strndup},
#undef STAND_IN
};

/* ---- the table of a shared object ------------------------------------------------------------ */

struct object {
    uintptr_t inside; /* an address of it */
    uintptr_t base;
    uintptr_t relro, relro_end; /* read-only after relocation */
    const ElfW(Dyn) * dynamic;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *arg) {
    struct object *o = arg;
    bool found = false;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + p->p_vaddr;
        found = found || (p->p_type == PT_LOAD && o->inside >= begin && o->inside < begin + p->p_memsz);
    }
    for (size_t i = 0; found && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_DYNAMIC) {
            o->dynamic = (const ElfW(Dyn) *)begin;
        } else if (p->p_type == PT_GNU_RELRO) {
            o->relro = begin;
            o->relro_end = begin + p->p_memsz;
        }
    }
    o->base = info->dlpi_addr;
    return found;
}

/* What an entry of the dynamic section points to; glibc has made these absolute, musl has not. */
static const void *pointed_to(const struct object *o, ElfW(Sxword) tag, size_t *ret_value) {
    for (const ElfW(Dyn) *d = o->dynamic; d->d_tag != DT_NULL; d++) {
        if (d->d_tag != tag)
            continue;
        *ret_value = d->d_un.d_val;
        uintptr_t at = d->d_un.d_ptr < o->base ? o->base + d->d_un.d_ptr : d->d_un.d_ptr;
        return (const void *)at;
    }
    return NULL;
}

static bool is_address_of_function(const ElfW(Rela) * r) {
#if defined(__x86_64__)
    switch (ELF64_R_TYPE(r->r_info)) {
    case R_X86_64_64: return r->r_addend == 0;
    case R_X86_64_GLOB_DAT:
    case R_X86_64_JUMP_SLOT: return true;
    default: return false;
    }
#elif defined(__aarch64__)
    switch (ELF64_R_TYPE(r->r_info)) {
    case R_AARCH64_ABS64: return r->r_addend == 0;
    case R_AARCH64_GLOB_DAT:
    case R_AARCH64_JUMP_SLOT: return true;
    default: return false;
    }
#else
    (void)r;
    return false;
#endif
}

static void replace(const struct object *o, uintptr_t slot, any_fn *fn) {
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE), page = slot / page_size * page_size;
    void *at = (void *)page;
    if (mprotect(at, page_size, PROT_READ | PROT_WRITE) != 0)
        return;
    memcpy((void *)slot, &fn, sizeof(fn));
    if (slot >= o->relro && slot < o->relro_end)
        mprotect(at, page_size, PROT_READ);
}

static unsigned replace_in(const struct object *o, ElfW(Sxword) table_tag, ElfW(Sxword) size_tag) {
    size_t size = 0, ignored = 0;
    unsigned n = 0;
    const ElfW(Rela) *table = pointed_to(o, table_tag, &ignored);
    const ElfW(Sym) *symbols = pointed_to(o, DT_SYMTAB, &ignored);
    const char *names = pointed_to(o, DT_STRTAB, &ignored);
    (void)pointed_to(o, size_tag, &size);
    if (!table || !symbols || !names)
        return 0;
    for (size_t i = 0; i < size / sizeof(*table); i++) {
        const char *name = names + symbols[ELF64_R_SYM(table[i].r_info)].st_name;
        if (!is_address_of_function(&table[i]))
            continue;
        for (size_t k = 0; k < N_ELEMENTS(stand_ins); k++) {
            if (strcmp(stand_ins[k].name, name) == 0) {
                replace(o, o->base + table[i].r_offset, stand_ins[k].fn);
                n++;
            }
        }
    }
    return n;
}

unsigned starve_prepare(const struct larder_driver *driver) {
    struct object driver_object = {.inside = (uintptr_t)driver->open};
    struct object own = {.inside = (uintptr_t)starve_prepare};
    dl_iterate_phdr(look_at, &driver_object);
    dl_iterate_phdr(look_at, &own);
    if (!driver_object.dynamic || driver_object.base == own.base)
        return 0;
    return replace_in(&driver_object, DT_RELA, DT_RELASZ) +
           replace_in(&driver_object, DT_JMPREL, DT_PLTRELSZ);
}
