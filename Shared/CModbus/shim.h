#include <modbus.h>
#include <errno.h>
// The state of the kernel's clock (adjtimex), which Swift's Glibc module does not map; its one user reads meters too.
#include <sys/timex.h>
