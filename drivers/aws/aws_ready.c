/*
 * The certificates are an X509_STORE that all connections share.  libcurl 7.87 and later keep one as
 * well, but fill it on the thread of the first transfer.
 *
 * OpenSSL's functions are called here by the same names as in libcurl, so they are found in the same
 * place, whatever that is: in a node process libcurl's TLS is node's own OpenSSL.  test_symbols looks
 * whether all names that libcurl and we use are there, for half of them would be a disaster.
 */
#include "aws_ready.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_job.h"
#include "aws_text.h"

/* A failure answers everybody who waits, and whoever comes within this. */
static const uint64_t FAILED_NS = UINT64_C(1000000000);

struct aws_ready {
    const struct larder_host *host;
    struct larder_home *home;
    larder_fn *changed;
    void *arg;
    char *ca_file;
    bool curl, tls;    /* what is there */
    X509_STORE *store; /* NULL: libcurl looks after it itself */
    struct aws_job *job;
    uint64_t failed_ns; /* when the last attempt failed; 0: it did not */
    char reason[LARDER_ERROR_SIZE];
};

struct prepare {
    struct aws_job job;
    char *ca_file;
    bool tls;  /* wanted */
    bool curl; /* there */
    X509_STORE *store;
    char reason[LARDER_ERROR_SIZE];
};

/* ---- on the pool ------------------------------------------------------------------------------- */

/* Once per process and never undone: others in the process may use libcurl too.  From 7.84 on
 * curl_global_init() itself may be called by several threads at once. */
static CURLcode global_status;
static void global_init(void) {
    global_status = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* A libcurl whose TLS is another's reads the file itself. */
static bool uses_openssl(const curl_version_info_data *info) {
    return info->ssl_version && strncmp(info->ssl_version, "OpenSSL/", 8) == 0;
}

static void read_certificates(struct prepare *p) {
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    const char *file = p->ca_file ? p->ca_file : info->cainfo, *folder = p->ca_file ? NULL : info->capath;
    if (!uses_openssl(info))
        return;
    p->store = X509_STORE_new();
    if (!p->store) {
        snprintf(p->reason, sizeof(p->reason), "out of memory");
        return;
    }
    const bool ok = (file && X509_STORE_load_file(p->store, file) == 1) ||
                    (folder && X509_STORE_load_path(p->store, folder) == 1);
    if (!ok) {
        snprintf(p->reason, sizeof(p->reason),
                 "the certificates of authorities in %.150s cannot be read (set ca-file or AWS_CA_BUNDLE)",
                 file     ? file
                 : folder ? folder
                          : "(none)");
        return;
    }
    /* As libcurl sets them: an intermediate certificate may be what is trusted. */
    X509_STORE_set_flags(p->store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
}

static void prepare_work(struct aws_job *job) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct prepare *p = (struct prepare *)job;
    pthread_once(&once, global_init);
    p->curl = global_status == CURLE_OK;
    if (!p->curl)
        snprintf(p->reason, sizeof(p->reason), "libcurl cannot start: %s", curl_easy_strerror(global_status));
    else if (p->tls)
        read_certificates(p);
}

/* ---- on the I/O thread -------------------------------------------------------------------------- */

static void prepare_done(void *owner, struct aws_job *job) {
    struct aws_ready *ready = owner;
    struct prepare *p = (struct prepare *)job;
    ready->job = NULL;
    ready->failed_ns = p->reason[0] != '\0' ? ready->host->now_ns() : 0;
    ready->curl |= p->curl;
    if (ready->failed_ns) {
        memcpy(ready->reason, p->reason, sizeof(ready->reason));
    } else if (p->tls) {
        ready->tls = true;
        ready->store = p->store;
        p->store = NULL;
    }
    ready->changed(ready->arg);
}

static void prepare_release(struct aws_job *job) {
    struct prepare *p = (struct prepare *)job;
    X509_STORE_free(p->store);
    free(p->ca_file);
    free(p);
}

static bool start(struct aws_ready *ready, bool tls) {
    struct prepare *p = calloc(1, sizeof(*p));
    if (!p)
        return false;
    p->job = (struct aws_job){ready, prepare_work, prepare_done, prepare_release};
    p->tls = tls;
    if (!aws_copy(&p->ca_file, ready->ca_file)) {
        prepare_release(&p->job);
        return false;
    }
    ready->job = &p->job;
    if (aws_job_start(&p->job, ready->host, ready->home) == LARDER_OK)
        return true;
    ready->job = NULL;
    return false;
}

enum aws_ready_state aws_ready_look(struct aws_ready *ready, bool tls, const char **ret_reason) {
    if (ready->curl && (ready->tls || !tls))
        return AWS_READY;
    if (ready->job)
        return AWS_READY_PENDING;
    const bool failed = ready->failed_ns && ready->host->now_ns() - ready->failed_ns < FAILED_NS;
    if (!failed && start(ready, tls))
        return AWS_READY_PENDING;
    *ret_reason = failed ? ready->reason : "out of memory";
    return AWS_READY_FAILED;
}

static CURLcode on_context(CURL *easy, void *context, void *arg) {
    const struct aws_ready *ready = arg;
    (void)easy;
    SSL_CTX_set1_cert_store(context, ready->store); /* a reference of its own */
    return CURLE_OK;
}

void aws_ready_trust(struct aws_ready *ready, CURL *easy) {
    if (ready->store) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, ready);
    } else if (ready->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ready->ca_file);
    }
}

struct aws_ready *aws_ready_new(const struct larder_host *host, struct larder_home *home, const char *ca_file,
                                larder_fn *changed, void *arg) {
    struct aws_ready *ready = calloc(1, sizeof(*ready));
    if (!ready)
        return NULL;
    *ready = (struct aws_ready){.host = host, .home = home, .changed = changed, .arg = arg};
    if (!aws_copy(&ready->ca_file, ca_file)) {
        free(ready);
        return NULL;
    }
    return ready;
}

void aws_ready_free(struct aws_ready *ready) {
    if (!ready)
        return;
    aws_job_drop(ready->job);
    X509_STORE_free(ready->store);
    free(ready->ca_file);
    free(ready);
}
