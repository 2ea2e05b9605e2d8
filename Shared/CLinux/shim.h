// What Swift's Glibc module does not map: the state of the kernel's clock, the options of serial lines, exchanging two names,
// malloc's settings.
// Types that both have (timespec) are Glibc's, whichever of the two modules a file names first.
#pragma clang module import SwiftGlibc
#include <linux/serial.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Exchanges two names in one step (renameat2(2), RENAME_EXCHANGE); −1 and errno where the file system cannot.
/// `renameat2` itself is declared for _GNU_SOURCE only.
static inline int kilomint_exchange(const char *one, const char *other) {
    return (int)syscall(SYS_renameat2, -100 /* AT_FDCWD */, one, -100, other, 1u << 1);
}
