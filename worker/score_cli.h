/* score_cli: `subrank-worker score`: the engine on files, without a coordinator. */
#ifndef WORKER_SCORE_CLI_H
#define WORKER_SCORE_CLI_H

/* argv[0] is "score". Prints a line of JSON for each score and one for the whole; the exit status: 0 every candidate
 * was scored, 1 something failed, 2 wrong usage. */
int score_cli_main(int argc, char **argv);

#endif
