#include "aws_endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Partitions, told by how their regions begin; the last one takes the rest.
 * https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json */
static const struct {
    const char *regions, *suffix;
} partitions[] = {
    {"cn-", "amazonaws.com.cn"}, {"us-isob-", "sc2s.sgov.gov"},  {"us-isof-", "csp.hci.ic.gov"},
    {"us-iso-", "c2s.ic.gov"},   {"eu-isoe-", "cloud.adc-e.uk"}, {"eusc-", "amazonaws.eu"},
    {"", "amazonaws.com"},
};

void aws_endpoint_done(struct aws_endpoint *endpoint) {
    free(endpoint->origin);
    free(endpoint->host);
    free(endpoint->path);
    *endpoint = (struct aws_endpoint){0};
}

static int32_t make(struct aws_endpoint *endpoint, struct larder_bytes scheme, struct larder_bytes host,
                    struct larder_bytes path) {
    struct aws_text origin = {0};
    struct aws_endpoint made = {0};
    aws_text_add(&origin, scheme.ptr, scheme.len);
    aws_text_add(&origin, host.ptr, host.len);
    bool ok = !origin.failed && aws_copy(&made.origin, origin.ptr) && aws_copy_bytes(&made.host, host) &&
              aws_copy_bytes(&made.path, path);
    aws_text_done(&origin);
    if (!ok) {
        aws_endpoint_done(&made);
        return LARDER_NOMEM;
    }
    aws_endpoint_done(endpoint);
    *endpoint = made;
    return LARDER_OK;
}

/* Letters, digits, `-` and `.`; a port; or an address of version 6 in brackets. */
static bool is_host(struct larder_bytes host) {
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    const char *text = (const char *)host.ptr;
    size_t len = 0, port = 0;
    if (host.len > 0 && text[0] == '[') {
        len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        if (len >= host.len || text[len++] != ']')
            return false;
    } else {
        len = strspn(text, known);
    }
    if (len == 0 || len > host.len)
        return false;
    if (len == host.len)
        return true;
    port = text[len] == ':' ? strspn(text + len + 1, "0123456789") : 0;
    return port > 0 && port < 6 && len + 1 + port == host.len;
}

int32_t aws_endpoint_of_url(struct aws_endpoint *endpoint, const char *url, char error[LARDER_ERROR_SIZE]) {
    const bool https = strncmp(url, "https://", 8) == 0, http = strncmp(url, "http://", 7) == 0;
    const size_t scheme_len = https ? 8 : 7;
    if (!https && !http) {
        snprintf(error, LARDER_ERROR_SIZE, "an endpoint begins with http:// or https://");
        return LARDER_INVALID;
    }
    struct larder_bytes host = {(const uint8_t *)url + scheme_len, strcspn(url + scheme_len, "/?#")};
    struct larder_bytes path = aws_bytes(url + scheme_len + host.len);
    if (!is_host(host) || strpbrk(url + scheme_len, "?# \r\n\t")) {
        snprintf(error, LARDER_ERROR_SIZE,
                 "an endpoint is a scheme, a host, perhaps a port and a path, and nothing else");
        return LARDER_INVALID;
    }
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    const char *own_port = https ? ":443" : ":80";
    const size_t own_len = strlen(own_port);
    if (host.len > own_len && memcmp(host.ptr + host.len - own_len, own_port, own_len) == 0)
        host.len -= own_len; /* HTTP clients do not send it, so it is not signed */
    return make(endpoint, (struct larder_bytes){(const uint8_t *)url, scheme_len}, host, path);
}

int32_t aws_endpoint_of_region(struct aws_endpoint *endpoint, const char *service, const char *region,
                               bool fips, char error[LARDER_ERROR_SIZE]) {
    char host[128];
    size_t i = 0;
    if (region[0] == '\0' || strlen(region) > 32 ||
        strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region)) {
        snprintf(error, LARDER_ERROR_SIZE, "a region is a name like eu-west-1");
        return LARDER_INVALID;
    }
    while (strncmp(region, partitions[i].regions, strlen(partitions[i].regions)) != 0)
        i++;
    /* DynamoDB of the government's regions has no other host: all of them keep the standard. */
    const bool always = strcmp(service, "dynamodb") == 0 && strncmp(region, "us-gov-", 7) == 0;
    const int len = snprintf(host, sizeof(host), "%s%s.%s.%s", service, fips && !always ? "-fips" : "",
                             region, partitions[i].suffix);
    if (len < 0 || (size_t)len >= sizeof(host)) {
        snprintf(error, LARDER_ERROR_SIZE, "the name of the service is too long");
        return LARDER_INVALID;
    }
    const int32_t status = make(endpoint, aws_bytes("https://"), aws_bytes(host), aws_bytes(""));
    endpoint->is_own = status == LARDER_OK;
    return status;
}

bool aws_endpoint_prefix(struct aws_endpoint *endpoint, const char *prefix) {
    struct aws_text host = {0};
    const bool is_own = endpoint->is_own;
    const struct larder_bytes scheme = {(const uint8_t *)endpoint->origin,
                                        (size_t)(strstr(endpoint->origin, "://") - endpoint->origin) + 3};
    aws_text_adds(&host, prefix);
    aws_text_adds(&host, endpoint->host);
    const bool ok = !host.failed &&
                    make(endpoint, scheme, aws_bytes(host.ptr), aws_bytes(endpoint->path)) == LARDER_OK;
    endpoint->is_own = is_own;
    aws_text_done(&host);
    return ok;
}

bool aws_endpoint_below(struct aws_endpoint *endpoint, const char *segment) {
    struct aws_text path = {0};
    aws_text_adds(&path, endpoint->path);
    aws_text_adds(&path, segment);
    if (path.failed)
        return false;
    free(endpoint->path);
    endpoint->path = path.ptr;
    return true;
}
