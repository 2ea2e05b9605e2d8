// Swift sees no macros and no variadic functions; these wrappers are all that is added to OpenSSL's headers.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

/// A new P-256 key pair, NULL when OpenSSL cannot make one. EVP_PKEY_Q_keygen is variadic.
static inline EVP_PKEY *kilomint_generate_p256(void) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

/// A new Ed25519 key pair, NULL when OpenSSL cannot make one.
static inline EVP_PKEY *kilomint_generate_ed25519(void) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}
