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
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/// A new P-256 key pair, NULL when OpenSSL cannot make one. EVP_PKEY_Q_keygen is variadic.
static inline EVP_PKEY *kilomint_generate_p256(void) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
}

/// A new Ed25519 key pair, NULL when OpenSSL cannot make one.
static inline EVP_PKEY *kilomint_generate_ed25519(void) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

// TLS: the macros of openssl/ssl.h and openssl/safestack.h that Swift cannot call.

/// No protocol below TLS 1.3.
static inline int kilomint_tls13_only(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
}

/// Buffers are given back while a connection is idle: 34 KiB less for each.
static inline void kilomint_release_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

/// Adds a certificate to the chain that is sent; the reference count is raised.
static inline int kilomint_add_chain_certificate(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

/// The flags of RFC 2253 are a macro of macros.
static inline int kilomint_print_name(BIO *out, const X509_NAME *name) {
    return X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253);
}

static inline int kilomint_set_server_name(const SSL *connection, const char *name) {
    return (int)SSL_set_tlsext_host_name((SSL *)connection, name);
}

/// What the peer sent: its own certificate and those it believes to be helpful. Not owned by the caller.
static inline int kilomint_sent_count(X509_STORE_CTX *context) {
    return sk_X509_num(X509_STORE_CTX_get0_untrusted(context));
}

static inline X509 *kilomint_sent(X509_STORE_CTX *context, int index) {
    return sk_X509_value(X509_STORE_CTX_get0_untrusted(context), index);
}

/// Verifies with `root` as the only certificate trusted.
static inline int kilomint_verify_with_root(X509_STORE_CTX *context, X509 *root) {
    STACK_OF(X509) *roots = sk_X509_new_null();
    if (!roots || !sk_X509_push(roots, root)) {
        sk_X509_free(roots);
        return -1;
    }
    X509_STORE_CTX_set0_trusted_stack(context, roots);
    int result = X509_verify_cert(context);
    X509_STORE_CTX_set0_trusted_stack(context, NULL);
    sk_X509_free(roots);
    return result;
}

// Stacks of certificates: their functions are macros.
static inline int kilomint_certificate_count(const STACK_OF(X509) *stack) { return stack == NULL ? 0 : sk_X509_num(stack); }
static inline X509 *kilomint_certificate_at(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline STACK_OF(X509) *kilomint_certificate_stack(void) { return sk_X509_new_null(); }
/// Takes a reference of its own.
static inline int kilomint_certificate_push(STACK_OF(X509) *stack, X509 *certificate) {
    if (X509_up_ref(certificate) != 1) return 0;
    if (sk_X509_push(stack, certificate) > 0) return 1;
    X509_free(certificate);
    return 0;
}
static inline void kilomint_certificate_stack_free(STACK_OF(X509) *stack) { sk_X509_pop_free(stack, X509_free); }

/// The certificates of a signed PKCS#7, NULL for any other kind; they stay its own.
static inline STACK_OF(X509) *kilomint_pkcs7_certificates(PKCS7 *message) {
    return PKCS7_type_is_signed(message) && message->d.sign != NULL ? message->d.sign->cert : NULL;
}

// Keys that never leave a device: an EC_KEY whose signing is ours. The functions are deprecated in OpenSSL 3 in favour of
// providers, and work in all of OpenSSL 3.

typedef ECDSA_SIG *(*kilomint_device_sign)(
    const unsigned char *digest, int count, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key);

/// A method like OpenSSL's own but for signing. Never freed: one for the life of the process.
static inline EC_KEY_METHOD *kilomint_device_method(kilomint_device_sign sign) {
    EC_KEY_METHOD *method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    if (!method) return NULL;
    int (*plain)(int, const unsigned char *, int, unsigned char *, unsigned int *, const BIGNUM *, const BIGNUM *, EC_KEY *);
    int (*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **);
    EC_KEY_METHOD_get_sign(method, &plain, &setup, NULL);
    EC_KEY_METHOD_set_sign(method, plain, setup, sign);
    return method;
}

/// Where the device stands in such a key; `release` gets it when the key is freed.
static inline int kilomint_device_index(CRYPTO_EX_free *release) {
    return CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EC_KEY, 0, NULL, NULL, NULL, release);
}

/// A P-256 key of an uncompressed point; NULL when it is no point, and then `device` is not taken over.
static inline EVP_PKEY *kilomint_device_key(
    const unsigned char *point, size_t count, const EC_KEY_METHOD *method, int index, void *device) {
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *result = EVP_PKEY_new();
    if (key && result && EC_KEY_oct2key(key, point, count, NULL) && EC_KEY_set_method(key, method)
        && EVP_PKEY_set1_EC_KEY(result, key) && EC_KEY_set_ex_data(key, index, device)) {
        EC_KEY_free(key);
        return result;
    }
    EC_KEY_free(key);
    EVP_PKEY_free(result);
    return NULL;
}

static inline void *kilomint_device_of(const EC_KEY *key, int index) { return EC_KEY_get_ex_data(key, index); }
