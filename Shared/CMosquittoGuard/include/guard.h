// libmosquitto 2.0 asserts on what a broker sends. Reads are made through here, so that such an assertion ends one
// connection and not the process. Nothing else of the library is wrapped.
#pragma once

// The assertions of one process that are caught; the next one ends it, and with it what they left allocated.
enum { kilomint_assertions_max = 256 };

// mosquitto_loop_read(client, 1). `caught` becomes 1 when an assertion ended it: then the client object may only be
// destroyed. On the thread that made the client.
int kilomint_loop_read(void *client, int *caught);

// Around callbacks: while they run, other people's frames lie above the read, and an assertion ends the process as ever.
void kilomint_callback_begins(void);
void kilomint_callback_ends(void);
