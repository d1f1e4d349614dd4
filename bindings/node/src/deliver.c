#include "deliver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
    /* Bytes from which a text, or a block of binary parts, is handed over uncopied.  Below, V8's part of that
     * costs more than a copy (bench/crossing.js), which does not keep a whole answer alive either. */
    EXTERNAL_BYTES = 8 * 1024,
    /* A smaller block is copied into memory that many of them share: for V8 an ArrayBuffer of 4 KB costs
     * more than all else that is done for its answer.  Who keeps one keeps the slab. */
    SLAB = 64 * 1024,
    SLAB_ALIGN = 8,
    BATCH_VALUES = 256,
    MANY_TEXTS = 64, /* more of one answer go into an array */
    FIRST_NUMBERS = 4096,
    /* V8 does not see the memory behind external strings, and would let gigabytes of it pile up.
     * Of what it is told, it marks the whole heap for each 64 MB, which for a server's heap is tens of
     * milliseconds; and it frees external strings in no cheaper way: they are never among its young objects.
     * So V8 is told only of what is more than this, and in steps: it marks half as often. */
    UNTOLD_BYTES = 64 * 1024 * 1024,
    TELL_STEP_BYTES = 1024 * 1024,
    /* Buffers are young and die young, but V8 does not count what they hold towards its collections of
     * young objects before it makes an ArrayBuffer of its own; it marks the whole heap instead, for each 64 MB.
     * So it makes a small one now and then.  (Node.js 20 and 22: a third of the mark-compacts; 24: no difference.) */
    LENT_BYTES = 16 * 1024 * 1024
};

enum { HAS_DETAIL = 1, HAS_ENTRY = 2, HAS_BLOCK = 4, HAS_TEXT_ARRAY = 8, HAS_SLAB = 16 };
enum { RECORD_NUMBERS = 5, ENTRY_NUMBERS = 6 };
enum { NEXT_VALUE = -1 };

struct batch {
    struct client *client;
    napi_env env;
    napi_value js_deliver;
    napi_handle_scope scope;
    size_t count; /* answers in it */
    bool slab_seen;
    size_t n_numbers;
    size_t n_values;
    napi_value values[1 + BATCH_VALUES]; /* [0]: count */
};

/* ---- memory that V8 refers to --------------------------------------------------- */

/* To a part's memory and not to its answer: V8 collects some parts long before others. */
struct lease {
    struct larder_buf *buf; /* one reference */
    size_t bytes;           /* of it */
    bool is_text;           /* it is in client->texts */
};

static atomic_size_t leases;

size_t deliver_externals(void) {
    return atomic_load(&leases);
}

static struct lease *lease_new(const struct larder_answer *answer, const void *ptr) {
    struct lease *lease = malloc(sizeof(*lease));
    size_t bytes;
    struct larder_buf *buf = lease ? larder_answer_buf(answer, ptr, &bytes) : NULL;
    if (!buf) {
        free(lease);
        return NULL;
    }
    *lease = (struct lease){.buf = buf, .bytes = bytes};
    atomic_fetch_add(&leases, 1);
    return lease;
}

static void lease_free(struct lease *lease) {
    larder_buf_unref(lease->buf);
    free(lease);
    atomic_fetch_sub(&leases, 1);
}

static void count_texts(struct client *client, napi_env env, int64_t bytes) {
    client->texts_bytes += bytes;
    int64_t over = client->texts_bytes - UNTOLD_BYTES, total;
    int64_t step = (over > 0 ? over : 0) - client->told_bytes;
    bool last = over <= 0 && step != 0;
    if ((step >= TELL_STEP_BYTES || step <= -TELL_STEP_BYTES || last) &&
        napi_adjust_external_memory(env, step, &total) == napi_ok)
        client->told_bytes += step;
}

/* napi_finalize.  env is NULL for what outlives its environment; its client may then be gone. */
static void on_collected(napi_env env, void *data, void *hint) {
    (void)data;
    struct lease *lease = hint;
    void *client = NULL;
    if (env && lease->is_text && napi_get_instance_data(env, &client) == napi_ok && client &&
        texts_drop(&((struct client *)client)->texts, lease->buf))
        count_texts(client, env, -(int64_t)lease->bytes);
    lease_free(lease);
}

/* ---- texts ---------------------------------------------------------------------- */

static bool external_text(struct batch *batch, const struct larder_answer *answer,
                          const struct larder_part *part, napi_value *ret) {
    struct client *client = batch->client;
    bool latin1 = part->encoding == LARDER_LATIN1;
    if (latin1 ? !client->external_latin1 : !client->external_utf16)
        return false;
    struct lease *lease = lease_new(answer, part->data.ptr);
    if (!lease)
        return false;
    lease->is_text = true;
    if (texts_add(&client->texts, lease->buf))
        count_texts(client, batch->env, (int64_t)lease->bytes);
    /* V8 only reads it; the missing const is the interface's. */
    void *text = (void *)(uintptr_t)part->data.ptr;
    bool copied;
    napi_status status =
        latin1
            ? client->external_latin1(batch->env, text, part->data.len, on_collected, lease, ret, &copied)
            : client->external_utf16(batch->env, text, part->data.len / 2, on_collected, lease, ret, &copied);
    if (status == napi_ok)
        return true; /* also where it was copied: then on_collected() has run */
    on_collected(batch->env, NULL, lease);
    return false;
}

/* WTF-8 of any length as a string. */
static bool text_value(struct batch *batch, struct larder_bytes text, napi_value *ret) {
    static const char empty[1];
    const char *ptr = text.len > 0 ? (const char *)text.ptr : empty;
    struct text_shape shape = text_shape_of_utf8(text.ptr, text.len);
    if (!shape.valid) /* not ours: whatever it is, show it */
        return napi_create_string_utf8(batch->env, ptr, text.len, ret) == napi_ok;
    if (shape.ascii)
        return napi_create_string_latin1(batch->env, ptr, text.len, ret) == napi_ok;
    char16_t *units = malloc(shape.utf16_units * sizeof(*units));
    if (!units)
        return false;
    text_utf16_from_utf8(text.ptr, text.len, units);
    napi_status status = napi_create_string_utf16(batch->env, units, shape.utf16_units, ret);
    free(units);
    return status == napi_ok;
}

static bool part_text(struct batch *batch, const struct larder_answer *answer, const struct larder_part *part,
                      napi_value *ret) {
    if (part->encoding == LARDER_UTF8)
        return text_value(batch, part->data, ret);
    if (part->data.len == 0)
        return napi_create_string_latin1(batch->env, "", 0, ret) == napi_ok;
    if (part->data.len >= EXTERNAL_BYTES && external_text(batch, answer, part, ret))
        return true;
    if (part->encoding == LARDER_LATIN1)
        return napi_create_string_latin1(batch->env, (const char *)part->data.ptr, part->data.len, ret) ==
               napi_ok;
    return napi_create_string_utf16(batch->env, (const void *)part->data.ptr, part->data.len / 2, ret) ==
           napi_ok;
}

/* ---- binary parts --------------------------------------------------------------- */

static void count_lent(struct client *client, napi_env env, size_t bytes) {
    napi_value buffer;
    void *data;
    client->lent_bytes += bytes;
    if (client->lent_bytes < LENT_BYTES)
        return;
    client->lent_bytes = 0;
    (void)napi_create_arraybuffer(env, 1, &data, &buffer);
}

static bool bytes_value(struct batch *batch, const struct larder_answer *answer, struct larder_bytes bytes,
                        napi_value *ret) {
    struct client *client = batch->client;
    if (bytes.len >= EXTERNAL_BYTES && !client->copies) {
        struct lease *lease = lease_new(answer, bytes.ptr);
        if (lease) {
            void *data = (void *)(uintptr_t)bytes.ptr;
            napi_status status = napi_create_external_buffer(batch->env, bytes.len, data, on_collected, lease,
                                                             ret);
            if (status == napi_ok) {
                count_lent(client, batch->env, bytes.len);
                return true;
            }
            lease_free(lease);
            client->copies = status == napi_no_external_buffers_allowed;
        }
    }
    void *copy;
    return napi_create_buffer_copy(batch->env, bytes.len, bytes.ptr, &copy, ret) == napi_ok;
}

/* The span of the entry's binary parts: a block, if hardly anything else lies between them. */
static bool find_block(const struct larder_entry *entry, struct larder_bytes *ret) {
    uintptr_t low = UINTPTR_MAX, high = 0;
    size_t sum = 0;
    for (uint32_t i = 0; i < entry->n_parts; i++) {
        const struct larder_part *part = &entry->parts[i];
        if (part->encoding != LARDER_BINARY || part->data.len == 0)
            continue;
        uintptr_t at = (uintptr_t)part->data.ptr;
        low = at < low ? at : low;
        high = at + part->data.len > high ? at + part->data.len : high;
        sum += part->data.len;
    }
    if (sum == 0 || high - low > sum + sum / 8 + 64)
        return false;
    *ret = (struct larder_bytes){(const uint8_t *)low, high - low};
    return true;
}

/* ---- records -------------------------------------------------------------------- */

static double ms_value(int64_t ms) {
    return ms == LARDER_UNSET ? (double)NAN : ms == LARDER_FOREVER ? (double)INFINITY : (double)ms;
}

static void put_number(struct batch *batch, double value) {
    batch->client->numbers[batch->n_numbers++] = value;
}

static bool add_value(struct batch *batch, napi_value value) {
    batch->values[1 + batch->n_values++] = value;
    return true;
}

static bool batch_begin(struct batch *batch) {
    batch->count = batch->n_numbers = batch->n_values = 0;
    batch->slab_seen = false;
    return napi_open_handle_scope(batch->env, &batch->scope) == napi_ok;
}

static void call_deliver(struct batch *batch, double count) {
    napi_value undefined, result, error;
    napi_status status = napi_get_undefined(batch->env, &undefined);
    if (status == napi_ok)
        status = napi_create_double(batch->env, count, &batch->values[0]);
    if (status == napi_ok)
        status = napi_call_function(batch->env, undefined, batch->js_deliver, 1 + batch->n_values,
                                    batch->values, &result);
    /* deliver() does not throw; should it, Node.js must hear of it.  While an environment ends,
     * all of these calls fail, and there is nobody left to answer. */
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(batch->env, &error) == napi_ok)
        (void)napi_fatal_exception(batch->env, error);
}

static void batch_end(struct batch *batch) {
    if (batch->count > 0)
        call_deliver(batch, (double)batch->count);
    (void)napi_close_handle_scope(batch->env, batch->scope);
}

/* A larger array of numbers; the batch is empty. */
static bool numbers_grow(struct batch *batch, size_t n) {
    struct client *client = batch->client;
    if (n <= client->n_numbers)
        return true;
    napi_value buffer, array;
    napi_ref ref;
    void *data;
    if (napi_create_arraybuffer(batch->env, n * sizeof(double), &data, &buffer) != napi_ok ||
        napi_create_typedarray(batch->env, napi_float64_array, n, buffer, 0, &array) != napi_ok ||
        napi_create_reference(batch->env, array, 1, &ref) != napi_ok)
        return false;
    if (client->numbers_ref)
        (void)napi_delete_reference(batch->env, client->numbers_ref);
    client->numbers = data;
    client->n_numbers = n;
    client->numbers_ref = ref;
    (void)add_value(batch, array);
    call_deliver(batch, -1);
    batch->n_values = 0;
    return true;
}

static size_t numbers_for(const struct larder_answer *answer) {
    return RECORD_NUMBERS + (answer->entry ? ENTRY_NUMBERS + 2 * (size_t)answer->entry->n_parts : 0);
}

/* ---- the slab ------------------------------------------------------------------- */

/* Nothing of the slab is used any more; the next block begins another. */
static void slab_end(struct client *client) {
    if (client->slab_ref)
        (void)napi_delete_reference(client->env, client->slab_ref);
    client->slab_ref = NULL;
}

/* JavaScript can take an ArrayBuffer's memory away, so it is looked at again after JavaScript ran. */
static bool slab_there(struct batch *batch) {
    struct client *client = batch->client;
    if (batch->slab_seen || !client->slab_ref)
        return client->slab_ref != NULL;
    napi_value slab;
    void *data;
    size_t n;
    batch->slab_seen = true;
    if (napi_get_reference_value(batch->env, client->slab_ref, &slab) == napi_ok && slab &&
        napi_get_buffer_info(batch->env, slab, &data, &n) == napi_ok && data == client->slab && n == SLAB)
        return true;
    slab_end(client);
    return false;
}

static bool slab_begin(struct batch *batch) {
    struct client *client = batch->client;
    napi_value slab;
    void *data;
    slab_end(client);
    if (napi_create_buffer(batch->env, SLAB, &data, &slab) != napi_ok ||
        napi_create_reference(batch->env, slab, 1, &client->slab_ref) != napi_ok)
        return false;
    client->slab = data;
    client->slab_used = 0;
    batch->slab_seen = true;
    return add_value(batch, slab);
}

/* A copy of the block in the slab: where it begins there. */
static bool slab_copy(struct batch *batch, struct larder_bytes block, size_t *at, uint32_t *contents) {
    struct client *client = batch->client;
    if (!slab_there(batch) || block.len > SLAB - client->slab_used) {
        if (!slab_begin(batch))
            return false;
        *contents |= HAS_SLAB;
    }
    *at = client->slab_used;
    memcpy(client->slab + *at, block.ptr, block.len);
    client->slab_used += (block.len + SLAB_ALIGN - 1) & ~(size_t)(SLAB_ALIGN - 1);
    return true;
}

/* ---- entries -------------------------------------------------------------------- */

/* The parts' pairs, where the block begins at `base` for JavaScript, and their texts to `array`, or to the
 * values where that is NULL. */
static bool add_parts(struct batch *batch, const struct larder_answer *answer,
                      const struct larder_bytes *block, size_t base, napi_value array) {
    const struct larder_entry *entry = answer->entry;
    uint32_t n = 0;
    for (uint32_t i = 0; i < entry->n_parts; i++) {
        const struct larder_part *part = &entry->parts[i];
        bool binary = part->encoding == LARDER_BINARY;
        if (binary && (block || part->data.len == 0)) {
            put_number(batch, part->data.len > 0 ? (double)base + (double)(part->data.ptr - block->ptr) : 0);
            put_number(batch, (double)part->data.len);
            continue;
        }
        napi_value value;
        put_number(batch, NEXT_VALUE);
        put_number(batch, (double)part->data.len);
        if (!(binary ? bytes_value(batch, answer, part->data, &value)
                     : part_text(batch, answer, part, &value)))
            return false;
        if (!array)
            (void)add_value(batch, value);
        else if (napi_set_element(batch->env, array, n++, value) != napi_ok)
            return false;
    }
    return true;
}

static bool add_entry(struct batch *batch, const struct larder_answer *answer, uint32_t *contents) {
    const struct larder_entry *entry = answer->entry;
    put_number(batch, (double)entry->epoch);
    put_number(batch, ms_value(entry->modified_ms));
    put_number(batch, ms_value(entry->revalidate_ms));
    put_number(batch, ms_value(entry->expire_ms));
    put_number(batch, (double)answer->trusted_until_ns / 1e6);
    put_number(batch, entry->n_parts);

    napi_value value, array = NULL;
    if (!text_value(batch, entry->meta, &value))
        return false;
    (void)add_value(batch, value);

    struct larder_bytes block;
    size_t base = 0;
    bool has_block = find_block(entry, &block);
    if (has_block && block.len < EXTERNAL_BYTES) {
        if (!slab_copy(batch, block, &base, contents))
            return false;
    } else if (has_block) {
        if (!bytes_value(batch, answer, block, &value))
            return false;
        (void)add_value(batch, value);
        *contents |= HAS_BLOCK;
    }
    if (entry->n_parts > MANY_TEXTS) {
        if (napi_create_array(batch->env, &array) != napi_ok)
            return false;
        (void)add_value(batch, array);
        *contents |= HAS_TEXT_ARRAY;
    }
    return add_parts(batch, answer, has_block ? &block : NULL, base, array);
}

static bool add_answer(struct batch *batch, const struct call *call) {
    const struct larder_answer *answer = call->answer;
    bool judged = call->code == LARDER_DO_GET || call->code == LARDER_DO_CHECK;
    bool verdict = judged && answer->status >= 0 && answer->verdict != 0;
    uint32_t contents = 0;

    put_number(batch, call->slot);
    put_number(batch, call->code);
    if (verdict)
        put_number(batch, answer->verdict);
    else
        put_number(batch, judged && answer->status == LARDER_MISS ? 0 : answer->status);
    put_number(batch, (double)answer->epoch);
    size_t contents_at = batch->n_numbers;
    put_number(batch, 0);

    if (answer->status < 0 && answer->detail && answer->detail[0] != '\0') {
        napi_value detail;
        struct larder_bytes text = {(const uint8_t *)answer->detail, strlen(answer->detail)};
        if (!text_value(batch, text, &detail))
            return false;
        (void)add_value(batch, detail);
        contents = HAS_DETAIL;
    } else if (answer->entry && call->code == LARDER_DO_GET) {
        contents = HAS_ENTRY;
        if (!add_entry(batch, answer, &contents))
            return false;
    }
    batch->client->numbers[contents_at] = contents;
    return true;
}

/* The answer could not be turned into values: say so. */
static void add_failure(struct batch *batch, const struct call *call) {
    napi_value error;
    bool pending = false;
    if (napi_is_exception_pending(batch->env, &pending) == napi_ok && pending)
        (void)napi_get_and_clear_last_exception(batch->env, &error);
    put_number(batch, call->slot);
    put_number(batch, call->code);
    put_number(batch, LARDER_NOMEM);
    put_number(batch, (double)call->answer->epoch);
    put_number(batch, 0);
}

/* meta or detail, block or slab, array, and at most MANY_TEXTS texts */
enum { VALUES_PER_ANSWER = 3 + MANY_TEXTS };

static bool batch_has_room(const struct batch *batch, const struct larder_answer *answer) {
    return batch->n_values + VALUES_PER_ANSWER <= BATCH_VALUES &&
           batch->n_numbers + numbers_for(answer) <= batch->client->n_numbers;
}

size_t deliver(struct client *client, napi_value js_deliver, struct call *calls) {
    struct batch batch = {.client = client, .env = client->env, .js_deliver = js_deliver};
    size_t n = 0;
    bool ready = batch_begin(&batch);
    if (ready && !numbers_grow(&batch, FIRST_NUMBERS)) {
        batch_end(&batch); /* the environment is ending: its promises stay as they are */
        ready = false;
    }
    for (struct call *call = calls; call; call = call->next, n++) {
        larder_answer_delivered(call->answer);
        if (ready && !batch_has_room(&batch, call->answer)) {
            batch_end(&batch);
            ready = batch_begin(&batch);
        }
        if (ready) {
            size_t numbers = batch.n_numbers, values = batch.n_values, need = numbers_for(call->answer);
            bool fits = numbers + need <= client->n_numbers || numbers_grow(&batch, need);
            if (!fits || !add_answer(&batch, call)) {
                batch.n_numbers = numbers;
                batch.n_values = values;
                slab_end(client); /* JavaScript may not hear of it */
                add_failure(&batch, call);
            }
            batch.count++;
        }
    }
    if (ready)
        batch_end(&batch);
    return n;
}
