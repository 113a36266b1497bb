/* The floor: connect, shake hands, ask, read, and nothing else, on blocking sockets with OpenSSL.
 *
 *     bare_probe CA_FILE PACE URL...
 *
 * Probes the URLs (https://IPv4:PORT/PATH) in turn, PACE of them a second, until it is killed. Each
 * is a fresh connection without a session to resume; chain and address are verified. It says so and
 * ends when an answer is not 200.
 */

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct site {
    char host[64];
    int port;
    char path[256];
};

static void fail(const char *what, const struct site *site)
{
    fprintf(stderr, "bare_probe: %s: %s:%d%s\n", what, site->host, site->port, site->path);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void probe(SSL_CTX *context, const struct site *site)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(site->port)};
    char request[512], answer[16384];
    size_t length = 0;
    int got;

    inet_pton(AF_INET, site->host, &address.sin_addr);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect", site);
    SSL *tls = SSL_new(context);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), site->host);
    SSL_set_fd(tls, connection);
    if (SSL_connect(tls) != 1)
        fail("no handshake", site);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: bare\r\nAccept: */*\r\n"
             "Connection: close\r\n\r\n",
             site->path, site->host, site->port);
    SSL_write(tls, request, (int)strlen(request));
    while (length < sizeof answer &&
           (got = SSL_read(tls, answer + length, (int)(sizeof answer - length))) > 0)
        length += (size_t)got;
    if (length < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0)
        fail("no good answer", site);
    SSL_shutdown(tls);
    SSL_free(tls);
    close(connection);
}

static SSL_CTX *make_context(const char *ca_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        fprintf(stderr, "bare_probe: cannot read %s\n", ca_file);
        exit(1);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521");
    return context;
}

int main(int count, char **words)
{
    if (count < 4) {
        fprintf(stderr, "usage: bare_probe CA_FILE PACE URL...\n");
        return 2;
    }
    SSL_CTX *context = make_context(words[1]);
    long between = (long)(1e9 / atof(words[2]));
    int sites = count - 3;
    struct site *site = calloc((size_t)sites, sizeof *site);
    for (int i = 0; i < sites; i++)
        if (sscanf(words[i + 3], "https://%63[^:]:%d%255s", site[i].host, &site[i].port,
                   site[i].path) != 3) {
            fprintf(stderr, "bare_probe: not https://IPv4:PORT/PATH: %s\n", words[i + 3]);
            return 2;
        }
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (int i = 0;; i = (i + 1) % sites) {
        probe(context, &site[i]);
        next.tv_nsec += between;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}
