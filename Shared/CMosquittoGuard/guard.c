// How: `assert` calls __assert_fail. The definition here comes before libc's in the dynamic linker's order, also for
// libmosquitto; during a guarded read, on its thread and outside callbacks, it jumps back to where the read began.
//
// Why that is sound: the frames that are left are libmosquitto's alone, C without clean-up. It asserts where it parses a
// packet (log__printf without a client, in property__read), with no lock held, and its object is then only destroyed, which
// takes no lock. Lost is what the packet's parse had allocated outside of the object: at most a packet. Decision 0017.
#include "guard.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct mosquitto;
int mosquitto_loop_read(struct mosquitto *client, int max_packets);

// Where this thread's read began; null outside of it and in callbacks.
static _Thread_local jmp_buf *armed;
static _Thread_local jmp_buf *held;
static atomic_int caught_count;

int kilomint_loop_read(void *client, int *caught) {
    jmp_buf begin;
    *caught = 0;
    if (_setjmp(begin) != 0) {
        *caught = 1;
        return 0;
    }
    armed = &begin;
    int result = mosquitto_loop_read(client, 1);
    armed = 0;
    return result;
}

void kilomint_callback_begins(void) {
    held = armed;
    armed = 0;
}

void kilomint_callback_ends(void) { armed = held; }

__attribute__((used, visibility("default"), noreturn)) void __assert_fail(
    const char *assertion, const char *file, unsigned int line, const char *function) {
    jmp_buf *begin = armed;
    if (begin && atomic_fetch_add(&caught_count, 1) < kilomint_assertions_max) {
        armed = 0;
        _longjmp(*begin, 1);
    }
    fprintf(stderr, "%s:%u: %s: assertion `%s' failed\n", file, line, function ? function : "?", assertion);
    abort();
}
