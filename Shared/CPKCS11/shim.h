// PKCS#11's types and numbers. Declarations alone: the module is a shared object that is opened by its path, or never.
#include <p11-kit-1/p11-kit/pkcs11.h>
