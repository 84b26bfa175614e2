/* SPDX-License-Identifier: MIT */
/*
 * serve.c - `hmmsvm serve`: pocl's server, pocld, on the hmm device, so that other machines' programs
 * can use it through pocl's remote client. The server is a child, which says over a socket when it
 * listens (the protocol of sd_notify(3)) and is ended with its parent. No locking.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hmmsvm/client.h>

#include "cli.h"

#define PORTS           3     /* commands, bulk data, other servers: one after the other */
#define PORT_DEFAULT    10998 /* pocl's */
#define PORT_ANY        0
#define PORT_LAST       (65535 - PORTS + 1)
#define START_TIMEOUT_S 60    /* until it listens */
#define END_TIMEOUT_S   10    /* from SIGTERM to SIGKILL */

enum { OPT_PORT = 'p', OPT_LISTEN = 'l', OPT_VERBOSE = 'v', OPT_JSON = 'j' };

static const struct argp_option options[] = {
    { "port", OPT_PORT, "N|any", 0,
      "The first of three TCP ports (default 10998); any: three that are free", 0 },
    { "listen", OPT_LISTEN, "ADDRESS", 0,
      "An IPv4 address or name of this machine (default 127.0.0.1); others reach what is not loopback",
      0 },
    { "verbose", OPT_VERBOSE, NULL, 0, "Let the server tell what it does", 0 },
    { "json", OPT_JSON, NULL, 0, "Say where it listens in a line of JSON", 0 },
    { 0 }
};

struct serve {
    long port;
    const char *listen;
    bool verbose, json;
    struct in_addr address;
    char numeric[INET_ADDRSTRLEN];
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct serve *serve = state->input;

    switch (key) {
    case OPT_PORT:
        serve->port = !strcmp(arg, "any") ? PORT_ANY : cli_number("--port", arg, 1, PORT_LAST);
        break;
    case OPT_LISTEN: serve->listen = arg; break;
    case OPT_VERBOSE: serve->verbose = true; break;
    case OPT_JSON: serve->json = true; break;
    case ARGP_KEY_ARG:
        argp_error(state, "it takes no arguments");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* pocl's client cannot name an IPv6 address. */
static void address_resolve(struct serve *serve)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
    int error = getaddrinfo(serve->listen, NULL, &hints, &found);

    if (error)
        cli_die("--listen: %s is no IPv4 address or name: %s", serve->listen, gai_strerror(error));
    serve->address = ((struct sockaddr_in *)found->ai_addr)->sin_addr;
    freeaddrinfo(found);
    inet_ntop(AF_INET, &serve->address, serve->numeric, sizeof(serve->numeric));
}

static bool address_is_loopback(const struct serve *serve)
{
    return ntohl(serve->address.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* 0, or why one cannot listen on this port, or, in @port, on one that is free if it is 0. */
static int port_try(const struct serve *serve, long *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = serve->address,
                                   .sin_port = htons((uint16_t)*port) };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, error = 0;

    if (fd < 0)
        return errno;
    /* As the server does: what another has only just left is free. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        error = errno;
    *port = ntohs(address.sin_port);
    close(fd);
    return error;
}

static void ports_choose(struct serve *serve)
{
    long first, port;
    int tries, i, error = 0;

    for (tries = 0; tries < (serve->port == PORT_ANY ? 100 : 1); tries++) {
        first = serve->port;
        error = port_try(serve, &first);
        for (i = 1; i < PORTS && !error; i++) {
            port = first + i;
            error = port > 65535 ? EADDRINUSE : port_try(serve, &port);
        }
        if (!error) {
            serve->port = first;
            return;
        }
        if (error != EADDRINUSE)
            break;
    }
    if (error == EADDRNOTAVAIL)
        cli_die("--listen: %s is no address of this machine", serve->listen);
    if (error == EACCES)
        cli_die("ports below 1024 are for root: --port names another");
    if (error == EADDRINUSE && serve->port != PORT_ANY)
        cli_die("one of the ports %ld to %ld of %s is taken: --port names others, --port any takes "
                "free ones", serve->port, serve->port + PORTS - 1, serve->numeric);
    cli_die("there are no ports to listen on at %s: %s", serve->numeric, strerror(error));
}

/* The server's voice: a socket with a name that the kernel makes up. Sets NOTIFY_SOCKET. */
static int notify_open(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t length = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char *name;

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        cli_die("cannot open a socket to hear from the server: %s", strerror(errno));
    name = cli_format("@%.*s", (int)(length - sizeof(sa_family_t) - 1), address.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    free(name);
    return fd;
}

static pid_t server_start(const struct serve *serve, const char *program, const sigset_t *mask)
{
    char port[16];
    pid_t parent = getpid(), pid;

    snprintf(port, sizeof(port), "%ld", serve->port);
    pid = fork();
    if (pid < 0)
        cli_die("cannot fork: %s", strerror(errno));
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(CLI_FAILED);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execl(program, "pocld", "--address", serve->numeric, "--port", port, "--log_filter",
          serve->verbose ? "info" : "err", (char *)NULL);
    cli_say("cannot run %s: %s", program, strerror(errno));
    _exit(CLI_FAILED);
}

static void announce(const struct serve *serve, const char *reason, pid_t pid)
{
    char host[256] = "";
    const char *address = serve->numeric;

    if (serve->address.s_addr == htonl(INADDR_ANY)) {
        gethostname(host, sizeof(host) - 1);
        address = host;
    }
    if (serve->json) {
        printf("{\"address\":\"%s\",\"port\":%ld,\"ports\":%d,\"server_pid\":%d,"
               "\"POCL_REMOTE0_PARAMETERS\":\"%s:%ld/0\"}\n",
               serve->numeric, serve->port, PORTS, (int)pid, address, serve->port);
    } else {
        printf("listening on %s, ports %ld to %ld: hmm, %s\n"
               "for a client: POCL_DEVICES=remote POCL_REMOTE0_PARAMETERS=%s:%ld/0\n",
               serve->numeric, serve->port, serve->port + PORTS - 1, reason, address, serve->port);
    }
    fflush(stdout);
}

/* Ends the program once the server has ended. */
static void server_ended(pid_t pid, bool listening, bool asked)
{
    int status;

    if (waitpid(pid, &status, 0) != pid)
        cli_die("cannot wait for the server: %s", strerror(errno));
    if (asked && WIFEXITED(status) && !WEXITSTATUS(status))
        exit(0);
    if (WIFSIGNALED(status))
        cli_die("the server was ended by signal %d (%s)%s", WTERMSIG(status),
                strsignal(WTERMSIG(status)), listening ? "" : " before it listened");
    cli_die(listening ? "the server ended with status %d"
                      : "the server ended with status %d before it listened; --verbose says more",
            WEXITSTATUS(status));
}

static void server_watch(const struct serve *serve, const char *reason, pid_t pid, int signals,
                         int notify)
{
    struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
                            { .fd = notify, .events = POLLIN } };
    bool listening = false, asked = false;
    struct signalfd_siginfo info;
    char text[64];
    ssize_t n;
    int ready;

    for (;;) {
        ready = poll(fds, 2, asked ? END_TIMEOUT_S * 1000 : listening ? -1 : START_TIMEOUT_S * 1000);
        if (ready < 0 && errno != EINTR)
            cli_die("cannot wait for the server: %s", strerror(errno));
        if (!ready) {
            cli_say(asked ? "the server did not end within %d s: killing it"
                          : "the server does not listen after %d s: killing it",
                    asked ? END_TIMEOUT_S : START_TIMEOUT_S);
            kill(pid, SIGKILL);
            server_ended(pid, listening, asked);
        }
        if (fds[1].revents && (n = recv(notify, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
            text[n] = '\0';
            if (!listening && strstr(text, "READY=1")) {
                listening = true;
                announce(serve, reason, pid);
            }
        }
        if (!fds[0].revents || read(signals, &info, sizeof(info)) != sizeof(info))
            continue;
        if (info.ssi_signo == SIGCHLD) {
            server_ended(pid, listening, asked);
        } else {
            asked = true;
            kill(pid, SIGTERM);
        }
    }
}

/* In which mode the server will run and why; malloc'ed. Ends the program if there is no device. */
static char *device_probe(void)
{
    /* What these ask for is the server's business. */
    static const char *const reports[] = { "HMMSVM_STATS", "HMMSVM_EVENTS" };
    char *values[sizeof(reports) / sizeof(reports[0])], *reason;
    struct hmmsvm_device_info info;
    struct hmmsvm_device *device;
    size_t i;

    for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        const char *value = getenv(reports[i]);

        values[i] = value ? cli_format("%s", value) : NULL;
        unsetenv(reports[i]);
    }
    if (hmmsvm_device_open(NULL, &device))
        cli_die("there is no device to serve: %s", hmmsvm_last_error());
    hmmsvm_device_info(device, &info);
    reason = cli_format("%s", info.reason);
    hmmsvm_device_close(device);
    for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        if (values[i])
            setenv(reports[i], values[i], 1);
        free(values[i]);
    }
    return reason;
}

int cli_serve(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Let programs on other machines use this device, through pocl's remote client."
               "\vThe protocol has no authentication and no encryption: whoever reaches the ports "
               "runs kernels as you. Beyond loopback use it on a trusted network only, or through "
               "ssh -L. SIGTERM, SIGINT and SIGHUP end it; docs/remote.md says what works. Exit "
               "status: 0 if it was asked to end, else 125.",
    };
    struct serve serve = { .port = PORT_DEFAULT, .listen = "127.0.0.1" };
    char *program = cli_format("%s/libexec/hmmsvm/pocld", cli_prefix()), *reason;
    sigset_t caught, before;
    int notify, signals;

    argp_err_exit_status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &serve);

    if (access(program, X_OK))
        cli_die("there is no %s: the remote layer was left out of this build; configure it with "
                "-DENABLE_REMOTE=ON", program);
    address_resolve(&serve);
    if (!address_is_loopback(&serve))
        cli_say("warning: the protocol has no authentication: whoever reaches %s runs kernels as "
                "you", serve.numeric);
    ports_choose(&serve);

    /* This very device and no other, whatever clients in this environment are to use. */
    unsetenv("OCL_ICD_VENDORS");
    setenv("POCL_DEVICES", "hmm", 1);
    cli_environment();
    reason = device_probe();

    sigemptyset(&caught);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGHUP);
    sigaddset(&caught, SIGCHLD);
    sigprocmask(SIG_BLOCK, &caught, &before);
    signals = signalfd(-1, &caught, SFD_CLOEXEC);
    if (signals < 0)
        cli_die("cannot watch for signals: %s", strerror(errno));
    notify = notify_open();
    server_watch(&serve, reason, server_start(&serve, program, &before), signals, notify);
    return 0;
}
