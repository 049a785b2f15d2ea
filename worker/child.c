/* child: see child.h. */
#include "worker/child.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16 << 20, CHUNK = 64 << 10 };

void child_init(struct child *c)
{
    memset(c, 0, sizeof *c);
    c->in = c->out = -1;
}

/* In the new process: only calls that are safe after fork. */
static void become(const char *program, int in, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL); /* the agent's handler must not run here */
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the agent decides when computing ends */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY); /* short of memory, computing goes first: it is repeatable */
    if (fd >= 0) {
        ssize_t ignored = write(fd, "500", 3);
        (void)ignored;
        close(fd);
    }
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(127);
    execl(program, "subrank-worker", "--compute", (char *)NULL);
    _exit(127);
}

int child_start(struct child *c, const char *program, struct err *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC))
        return err_errno(err, errno, "compute", "cannot make a pipe");
    if (pipe2(out, O_CLOEXEC)) {
        int e = errno;
        close(in[0]);
        close(in[1]);
        return err_errno(err, e, "compute", "cannot make a pipe");
    }
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        become(program, in[0], out[1], self);
    int e = errno;
    close(in[0]);
    close(out[1]);
    if (pid < 0) {
        close(in[1]);
        close(out[0]);
        return err_errno(err, e, "compute", "cannot start the compute process");
    }
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    c->pid = pid;
    c->in = in[1];
    c->out = out[0];
    c->send_len = c->send_at = c->recv_len = 0;
    c->heard_ms = clock_mono_ms();
    c->end[0] = 0;
    return 0;
}

int child_send(struct child *c, const char *line, struct err *err)
{
    size_t n = strlen(line);
    char *p = realloc(c->send, c->send_len + n + 1);
    if (!p)
        return err_set(err, ERR_NO_MEMORY, "compute", "no memory to hand a job over");
    memcpy(p + c->send_len, line, n);
    p[c->send_len + n] = '\n';
    c->send = p;
    c->send_len += n + 1;
    c->heard_ms = clock_mono_ms(); /* its silence counts from now */
    return 0;
}

size_t child_poll(const struct child *c, struct pollfd fds[2])
{
    size_t n = 0;
    if (c->out >= 0)
        fds[n++] = (struct pollfd){c->out, POLLIN, 0};
    if (c->in >= 0 && c->send_at < c->send_len)
        fds[n++] = (struct pollfd){c->in, POLLOUT, 0};
    return n;
}

static void end_with(struct child *c, int status)
{
    if (WIFSIGNALED(status))
        snprintf(c->end, sizeof c->end, "signal %d", WTERMSIG(status));
    else
        snprintf(c->end, sizeof c->end, "exit %d", WEXITSTATUS(status));
}

void child_kill(struct child *c)
{
    int status = 0;
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
            ;
        end_with(c, status);
    }
    if (c->in >= 0)
        close(c->in);
    if (c->out >= 0)
        close(c->out);
    free(c->send);
    free(c->recv);
    c->send = c->recv = NULL;
    c->send_len = c->send_at = c->recv_len = 0;
    c->pid = 0;
    c->in = c->out = -1;
}

static void write_some(struct child *c)
{
    while (c->send_at < c->send_len) {
        ssize_t w = write(c->in, c->send + c->send_at, c->send_len - c->send_at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return; /* full, or gone: reading will tell which */
        c->send_at += (size_t)w;
    }
    free(c->send);
    c->send = NULL;
    c->send_len = c->send_at = 0;
}

static void split_lines(struct child *c, child_line *on_line, void *arg)
{
    size_t start = 0;
    for (char *nl; c->recv_len > start && (nl = memchr(c->recv + start, '\n', c->recv_len - start)) != NULL;) {
        size_t n = (size_t)(nl - c->recv) - start;
        on_line(arg, c->recv + start, n);
        start += n + 1;
    }
    memmove(c->recv, c->recv + start, c->recv_len - start);
    c->recv_len -= start;
}

/* 1 at end of file or nonsense, 0 when there is no more for now. */
static int read_some(struct child *c, child_line *on_line, void *arg)
{
    for (;;) {
        char *p = c->recv_len < LINE_MAX_BYTES ? realloc(c->recv, c->recv_len + CHUNK) : NULL;
        if (!p)
            return 1;
        c->recv = p;
        ssize_t r = read(c->out, c->recv + c->recv_len, CHUNK);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return errno != EAGAIN;
        if (r == 0)
            return 1;
        c->recv_len += (size_t)r;
        c->heard_ms = clock_mono_ms();
        split_lines(c, on_line, arg);
    }
}

/* It closed its output, so it is ending: give it a moment to say how before it is killed. */
static void reap(struct child *c)
{
    int status;
    for (int i = 0; i < 100; i++) {
        pid_t got = waitpid(c->pid, &status, WNOHANG);
        if (got == c->pid) {
            c->pid = 0;
            child_kill(c); /* only closes what is open */
            end_with(c, status);
            return;
        }
        poll(NULL, 0, 5);
    }
    child_kill(c);
}

int child_pump(struct child *c, child_line *on_line, void *arg)
{
    if (c->pid <= 0)
        return 1;
    write_some(c);
    if (!read_some(c, on_line, arg))
        return 0;
    reap(c);
    return 1;
}
