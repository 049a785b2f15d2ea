/* space_cli: `subrankd space FILE`: checks a space document offline and shows it. */
#ifndef PROTO_SPACE_CLI_H
#define PROTO_SPACE_CLI_H

/* argv[0] is "space". Returns the exit status: 0, 1 for a bad document or code, 2 for bad usage. */
int space_cli(int argc, char **argv);

#endif
