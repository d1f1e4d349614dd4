/*
 * TLS by OpenSSL 3.  In a node process the calls end in node's own OpenSSL, whose names come first in the search:
 * only functions are used, none that is newer than 3.0, and nothing is looked into.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

/* What one call encrypts or decrypts: the socket is not empty then, or has_more() says so. */
enum { RECORD_BYTES = 16 << 10, BYTES_AT_ONCE = 128 << 10 };

struct rds_tls {
    SSL_CTX *ctx;
    BIO_METHOD *socket;
    char server_name[256];
};

/* The first error is the cause; the queue belongs to the thread, and is left empty for whoever is next. */
static void openssl_reason(char *to, size_t size) {
    const unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(to, size, "%s", reason ? reason : "unknown reason");
    ERR_clear_error();
}

static bool refuse(char *error, size_t size, const char *what, const char *file) {
    char why[120];
    openssl_reason(why, sizeof(why));
    snprintf(error, size, "%s '%.100s': %s", what, file, why);
    return false;
}

static bool read_files(SSL_CTX *ctx, const char *ca_file, const char *cert_file, const char *key_file,
                       char *error, size_t size) {
    if (ca_file[0] == '\0' && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return refuse(error, size, "the certificates of the system", "");
    if (ca_file[0] != '\0' && SSL_CTX_load_verify_locations(ctx, ca_file, NULL) != 1)
        return refuse(error, size, "ca-file", ca_file);
    if (cert_file[0] == '\0')
        return true;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return refuse(error, size, "cert-file", cert_file);
    const char *key = key_file[0] != '\0' ? key_file : cert_file;
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return refuse(error, size, "key-file", key);
    return SSL_CTX_check_private_key(ctx) == 1 || refuse(error, size, "key-file does not fit cert-file", key);
}

/* ---- the socket below --------------------------------------------------------------------------------------------- */

/* OpenSSL's own would use write(), and with it SIGPIPE, in a process that is not ours. */
static int moved(BIO *bio, ssize_t n, int flag) {
    BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(bio, flag | BIO_FLAGS_SHOULD_RETRY);
    return (int)n;
}

static int fd_of(BIO *bio) {
    return ((const struct rds_transport *)BIO_get_data(bio))->fd;
}

static int socket_write(BIO *bio, const char *from, int len) {
    return moved(bio, send(fd_of(bio), from, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int socket_read(BIO *bio, char *to, int len) {
    return moved(bio, recv(fd_of(bio), to, (size_t)len, MSG_DONTWAIT), BIO_FLAGS_READ);
}

static long socket_ctrl(__attribute__((unused)) BIO *bio, int what, __attribute__((unused)) long number,
                        __attribute__((unused)) void *arg) {
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "larder redis");
    if (method &&
        (BIO_meth_set_write(method, socket_write) != 1 || BIO_meth_set_read(method, socket_read) != 1 ||
         BIO_meth_set_ctrl(method, socket_ctrl) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}

/* ---- what all connections share ----------------------------------------------------------------------------------- */

/* A key with a passphrase is refused: the question would be put on the terminal. */
static int no_passphrase(__attribute__((unused)) char *buf, __attribute__((unused)) int size,
                         __attribute__((unused)) int writing, __attribute__((unused)) void *arg) {
    return -1;
}

struct rds_tls *rds_tls_new(const char *ca_file, const char *cert_file, const char *key_file,
                            const char *server_name, char *error, size_t size) {
    struct rds_tls *tls = calloc(1, sizeof(*tls));
    ERR_clear_error();
    if (!tls || !(tls->ctx = SSL_CTX_new(TLS_client_method())) || !(tls->socket = socket_method())) {
        snprintf(error, size, "out of memory");
        rds_tls_free(tls);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(tls->ctx, no_passphrase);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    snprintf(tls->server_name, sizeof(tls->server_name), "%s", server_name ? server_name : "");
    if (!read_files(tls->ctx, ca_file, cert_file, key_file, error, size)) {
        rds_tls_free(tls);
        return NULL;
    }
    return tls;
}

void rds_tls_free(struct rds_tls *tls) {
    if (tls) {
        SSL_CTX_free(tls->ctx);
        BIO_meth_free(tls->socket);
    }
    free(tls);
}

/* ---- one connection --------------------------------------------------------------------------------------------- */

static int lost(struct rds_transport *t, int32_t status, const char *what, const char *why) {
    t->status = status;
    snprintf(t->detail, sizeof(t->detail), "%s%s%s", what, why ? ": " : "", why ? why : "");
    ERR_clear_error();
    return RDS_LOST;
}

/* Names are compared, and sent for the server to choose its certificate by; addresses are compared alone. */
static bool expect_name(SSL *ssl, const char *name) {
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (char *)(uintptr_t)name) ==
               1;
}

static int tls_begin(struct rds_transport *t) {
    const char *name = t->tls->server_name[0] != '\0' ? t->tls->server_name : t->name;
    SSL *ssl = SSL_new(t->tls->ctx);
    if (!ssl)
        return lost(t, LARDER_NOMEM, "out of memory", NULL);
    t->ssl = ssl;
    if (!name || !expect_name(ssl, name))
        return lost(t, LARDER_INVALID, "TLS needs the name of the server: server-name", NULL);
    BIO *bio = BIO_new(t->tls->socket);
    if (!bio)
        return lost(t, LARDER_NOMEM, "out of memory", NULL);
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio); /* which owns it then */
    SSL_set_connect_state(ssl);
    return 1;
}

static int tls_start(struct rds_transport *t) {
    ERR_clear_error();
    if (!t->ssl && tls_begin(t) != 1)
        return RDS_LOST;
    const int done = SSL_do_handshake(t->ssl);
    if (done == 1)
        return 1;
    switch (SSL_get_error(t->ssl, done)) {
    case SSL_ERROR_WANT_READ: t->wants = LARDER_READ; return RDS_BLOCKED;
    case SSL_ERROR_WANT_WRITE: t->wants = LARDER_WRITE; return RDS_BLOCKED;
    default: break;
    }
    const long verified = SSL_get_verify_result(t->ssl);
    if (verified != X509_V_OK)
        return lost(t, LARDER_DENIED, "the server's certificate", X509_verify_cert_error_string(verified));
    char why[120];
    const bool hung_up = ERR_peek_error() == 0;
    openssl_reason(why, sizeof(why));
    return hung_up ? lost(t, LARDER_RETRY, "the server hung up during the TLS handshake", NULL)
                   : lost(t, LARDER_RETRY, "TLS", why);
}

/* n <= 0 of SSL_read_ex or SSL_write_ex. */
static ssize_t stopped(struct rds_transport *t, int n, bool reading) {
    const int saved = errno;
    char why[120];
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ: t->send_reads = !reading; return RDS_BLOCKED;
    case SSL_ERROR_WANT_WRITE: t->recv_writes = reading; return RDS_BLOCKED;
    case SSL_ERROR_ZERO_RETURN: return lost(t, LARDER_RETRY, "the server hung up", NULL);
    case SSL_ERROR_SYSCALL:
        return lost(t, LARDER_RETRY, "the connection broke", saved ? strerrordesc_np(saved) : NULL);
    default: openssl_reason(why, sizeof(why)); return lost(t, LARDER_RETRY, "TLS", why);
    }
}

/* A record has at most 16 KB: one call brings one.  So both pieces are filled as long as there is something. */
static ssize_t tls_recv(struct rds_transport *t, const struct iovec *iov, int n) {
    size_t total = 0;
    t->recv_writes = false;
    for (int i = 0; i < n; i++) {
        for (size_t at = 0; at < iov[i].iov_len && total < BYTES_AT_ONCE;) {
            size_t got = 0;
            ERR_clear_error();
            const int ok = SSL_read_ex(t->ssl, (uint8_t *)iov[i].iov_base + at, iov[i].iov_len - at, &got);
            if (ok != 1) {
                const ssize_t why = stopped(t, ok, true);
                return total > 0 ? (ssize_t)total : why; /* if it is lost, the next call says so again */
            }
            at += got;
            total += got;
        }
    }
    return (ssize_t)total;
}

/* Small pieces are put together, as each call makes a record and a system call.  What is sent after RDS_BLOCKED begins
 * with the same bytes, which OpenSSL insists on, as nothing before them was taken. */
static size_t gather(const struct iovec *iov, int n, int i, size_t at, uint8_t *to, size_t size) {
    size_t len = 0;
    for (; i < n && len < size; i++, at = 0) {
        const size_t left = iov[i].iov_len - at, step = left < size - len ? left : size - len;
        memcpy(to + len, (const uint8_t *)iov[i].iov_base + at, step);
        len += step;
    }
    return len;
}

static ssize_t tls_send(struct rds_transport *t, const struct iovec *iov, int n) {
    uint8_t room[RECORD_BYTES];
    size_t total = 0, at = 0;
    t->send_reads = false;
    for (int i = 0; i < n && total < BYTES_AT_ONCE;) {
        const size_t left = iov[i].iov_len - at;
        const bool is_large = left >= sizeof(room) || i + 1 == n;
        const uint8_t *from = is_large ? (const uint8_t *)iov[i].iov_base + at : room;
        const size_t most = left < BYTES_AT_ONCE ? left : BYTES_AT_ONCE;
        const size_t len = is_large ? most : gather(iov, n, i, at, room, sizeof(room));
        size_t sent = 0;
        ERR_clear_error();
        const int ok = SSL_write_ex(t->ssl, from, len, &sent);
        if (ok != 1) {
            const ssize_t why = stopped(t, ok, false);
            return total > 0 && why == RDS_BLOCKED ? (ssize_t)total : why;
        }
        total += sent;
        for (at += sent; i < n && at >= iov[i].iov_len; i++)
            at -= iov[i].iov_len;
    }
    return (ssize_t)total;
}

static bool tls_has_more(const struct rds_transport *t) {
    return t->ssl && SSL_pending(t->ssl) > 0;
}

static void tls_done(struct rds_transport *t) {
    SSL_free(t->ssl);
    t->ssl = NULL;
    ERR_clear_error();
}

const struct rds_transport_ops rds_over_tls = {
    .start = tls_start,
    .recv = tls_recv,
    .send = tls_send,
    .has_more = tls_has_more,
    .done = tls_done,
};
