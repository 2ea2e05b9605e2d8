// What Swift's Glibc module does not map: the state of the kernel's clock, and the options of serial lines.
// Types that both have (timespec) are Glibc's, whichever of the two modules a file names first.
#pragma clang module import SwiftGlibc
#include <linux/serial.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
