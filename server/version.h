/* version: what this build calls itself. The Makefile may pass the commit. */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

#define VERSION_TEXT "0.1.0"
#ifndef VERSION_BUILD
#define VERSION_BUILD "local"
#endif

#endif
