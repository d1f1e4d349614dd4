#include "mark_feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "bytes.h"
#include "key.h"

struct fed {
    struct fed *next;
    struct larder_mark mark;
    uint8_t tag[];
};

struct mark_feed {
    struct mark_sink sink; /* first: what the backend is given is the feed */
    uint32_t refs;         /* atomic: the store's, and that of the task while it is posted */
    struct reactor *reactor;
    mark_feed_fn *fn; /* NULL: stopped.  Reactor's thread, as is arg */
    void *arg;
    struct larder_bytes prefix;

    pthread_mutex_t lock; /* of what follows */
    struct fed *first, **last;
    size_t n;
    bool posted, missed;
    struct task task;
};

static void feed_unref(struct mark_feed *feed) {
    if (__atomic_sub_fetch(&feed->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pthread_mutex_destroy(&feed->lock);
    free((void *)(uintptr_t)feed->prefix.ptr);
    free(feed);
}

/* Takes the namespace off; false: a mark of another one, which shares the store's channel. */
static bool strip(const struct mark_feed *feed, struct larder_mark *mark) {
    if (!bytes_begin_with(mark->tag, feed->prefix))
        return false;
    mark->tag.ptr += feed->prefix.len;
    mark->tag.len -= feed->prefix.len;
    return true;
}

static void hand_over(void *arg) {
    struct mark_feed *feed = arg;
    pthread_mutex_lock(&feed->lock);
    struct fed *fed = feed->first, *next;
    bool missed = feed->missed;
    feed->first = NULL;
    feed->last = &feed->first;
    feed->n = 0;
    feed->missed = feed->posted = false;
    pthread_mutex_unlock(&feed->lock);

    for (; fed != NULL; fed = next) {
        next = fed->next;
        if (feed->fn != NULL && strip(feed, &fed->mark))
            feed->fn(feed->arg, &fed->mark);
        free(fed);
    }
    if (missed && feed->fn != NULL)
        feed->fn(feed->arg, NULL);
    feed_unref(feed);
}

static struct fed *fed_new(const struct larder_mark *mark) {
    struct fed *fed = malloc(sizeof(*fed) + mark->tag.len);
    if (fed == NULL)
        return NULL;
    *fed = (struct fed){.mark = *mark};
    bytes_put(fed->tag, mark->tag);
    fed->mark.tag.ptr = fed->tag;
    return fed;
}

/* Any thread. */
static void seen(struct mark_sink *sink, const struct larder_mark *mark) {
    struct mark_feed *feed = (struct mark_feed *)(void *)sink;
    struct fed *fed = fed_new(mark);
    pthread_mutex_lock(&feed->lock);
    if (fed != NULL && feed->n < MARK_FEED_ROOM) {
        *feed->last = fed;
        feed->last = &fed->next;
        feed->n++;
        fed = NULL;
    } else {
        feed->missed = true;
    }
    bool post = !feed->posted;
    feed->posted = true;
    if (post)
        __atomic_add_fetch(&feed->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&feed->lock);
    free(fed);
    if (post)
        reactor_post(feed->reactor, &feed->task);
}

struct mark_feed *mark_feed_new(struct reactor *r, const char *ns, mark_feed_fn *fn, void *arg) {
    struct larder_bytes name = bytes_of(ns);
    size_t len = key_segment_len(name) + 1;
    struct mark_feed *feed = calloc(1, sizeof(*feed));
    uint8_t *prefix = malloc(len);
    if (feed == NULL || prefix == NULL) {
        free(feed);
        free(prefix);
        return NULL;
    }
    *key_segment_put(name, prefix) = '/';
    feed->sink.seen = seen;
    feed->refs = 1;
    feed->reactor = r;
    feed->fn = fn;
    feed->arg = arg;
    feed->prefix = (struct larder_bytes){prefix, len};
    feed->last = &feed->first;
    feed->task = (struct task){.fn = hand_over, .arg = feed};
    pthread_mutex_init(&feed->lock, NULL);
    return feed;
}

struct mark_sink *mark_feed_sink(struct mark_feed *feed) {
    return &feed->sink;
}

void mark_feed_stop(struct mark_feed *feed) {
    feed->fn = NULL;
}

struct mark_feed *mark_feed_free(struct mark_feed *feed) {
    if (feed != NULL)
        feed_unref(feed);
    return NULL;
}
