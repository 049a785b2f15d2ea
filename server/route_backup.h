/* route_backup: a backup that the running coordinator makes of itself. */
#ifndef SERVER_ROUTE_BACKUP_H
#define SERVER_ROUTE_BACKUP_H

struct server;

void route_backup_stop(struct server *s); /* before the database closes: an unfinished copy is dropped */

#endif
