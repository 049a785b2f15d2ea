/* log: logfmt lines on stderr, event name first. Event names are part of the contract: tests wait on them.
 * The level is the only global of both programs. Never log a token, a key or a body. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
int log_level_parse(const char *name, enum log_level *out); /* 0, or -1 for an unknown name */

/* log_line(LOG_INFO, "job_leased", "job=%lld worker=%lld", ...). Values with spaces must be written with log_quote. */
void log_line(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_line(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_line(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LOG_DEBUG, event, __VA_ARGS__)

/* Writes "text" with quotes and escapes into buf (always terminated, cut when too long) and returns buf. */
const char *log_quote(char *buf, unsigned long size, const char *text);

#endif
