/* version: what a build calls itself. The Makefile passes the commit as VERSION_BUILD. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define VERSION_TEXT "0.1.0"
#ifndef VERSION_BUILD
#define VERSION_BUILD "local"
#endif

#endif
