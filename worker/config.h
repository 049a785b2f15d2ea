/* config: one table of settings. Option names, environment names, the configuration file's keys, defaults and the text
 * of --help all come from SETTINGS, so none of them can be forgotten or differ. */
#ifndef WORKER_CONFIG_H
#define WORKER_CONFIG_H

#include "proto/base/err.h"

#include <stdint.h>
#include <stdio.h>

/* X(field, kind, option, default, least, most, help). The environment name is SUBRANK_ + option in capitals.
 * Kinds: STRING; SECRET (a string that argv must not carry, since every user of the machine can read argv);
 * NUMBER; SIZE (bytes with an optional K, M, G or T); FLAG (1, 0, yes, no, true, false; bare option = 1). */
#define SETTINGS(X)                                                                                                    \
    X(server, STRING, "server", "", 0, 0, "address of the coordinator, e.g. https://rank.example.org:8420 (required)") \
    X(join_token, SECRET, "join-token", "", 0, 0,                                                                      \
      "token that allows to join; used once, then the worker has its own key")                                         \
    X(join_token_file, STRING, "join-token-file", "", 0, 0, "file that holds the join token")                          \
    X(tls_ca, STRING, "tls-ca", "", 0, 0, "PEM file with the authority that signed the coordinator's certificate")     \
    X(state_dir, STRING, "state-dir", "", 0, 0,                                                                        \
      "identity and finished results; one worker each ($STATE_DIRECTORY or ~/.local/state/subrank-worker)")            \
    X(cache_dir, STRING, "cache-dir", "", 0, 0,                                                                        \
      "checkpoints and images; workers may share it ($CACHE_DIRECTORY or STATE-DIR/cache)")                            \
    X(cache_bytes, SIZE, "cache-size", "20G", 1 << 20, INT64_MAX, "size limit of the cache")                           \
    X(spool_bytes, SIZE, "spool-size", "1G", 1 << 10, INT64_MAX,                                                       \
      "finished results that may wait for the coordinator; beyond it no new jobs are taken")                           \
    X(name, STRING, "name", "", 0, 0, "name shown by the coordinator (default: host name)")                            \
    X(threads, NUMBER, "threads", "0", 0, 1024,                                                                        \
      "threads that compute; 0: as many as this process is granted processors")                                        \
    X(memory_bytes, SIZE, "memory", "0", 0, INT64_MAX,                                                                 \
      "memory that computing may use; 0: three quarters of what this process is granted")                              \
    X(prefetch, NUMBER, "prefetch", "0", 0, 8, "jobs leased ahead of the running one")                                 \
    X(hang_s, NUMBER, "hang-seconds", "900", 5, 86400, "computing that says nothing for so long is killed")            \
    X(idle_exit_s, NUMBER, "idle-exit-seconds", "0", 0, 31536000, "end after so long without work; 0: never")          \
    X(leave, FLAG, "leave", "0", 0, 1, "when stopped, give the identity up too (for machines that do not come back)")  \
    X(profile, FLAG, "profile", "0", 0, 1,                                                                             \
      "after each job, print the time, rate and share of each kind of operator, on stderr")                            \
    X(log_level, STRING, "log-level", "info", 0, 0, "error, warn, info or debug")                                      \
    X(file, STRING, "config", "", 0, 0, "file with one `option = value` a line")

enum config_kind { CONFIG_STRING, CONFIG_SECRET, CONFIG_NUMBER, CONFIG_SIZE, CONFIG_FLAG };

#define CONFIG_TYPE_STRING char *
#define CONFIG_TYPE_SECRET char *
#define CONFIG_TYPE_NUMBER int64_t
#define CONFIG_TYPE_SIZE   int64_t
#define CONFIG_TYPE_FLAG   int64_t
struct config {
#define CONFIG_FIELD(field, kind, option, def, least, most, help) CONFIG_TYPE_##kind field;
    SETTINGS(CONFIG_FIELD)
#undef CONFIG_FIELD
};

/* Fills *c from, in order of strength, argv (argv[0] is the first option), `env`, the file, the defaults. An unknown
 * or malformed setting is ERR_INVALID with its name and origin in err->where. The caller clears *c in every case. */
int config_load(struct config *c, int argc, char **argv, char **env, struct err *err);
void config_clear(struct config *c);
void config_help(FILE *out);

/* "512M" -> bytes; 0 or -1. */
int config_size(const char *text, int64_t *out);

#endif
