// What Swift's Glibc module does not map: the state of the kernel's clock, and the options of serial lines.
#include <linux/serial.h>
#include <sys/ioctl.h>
#include <sys/timex.h>
