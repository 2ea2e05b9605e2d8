// A key inside something else than our memory: what signs, and how OpenSSL is made to ask it. Which device it is, PKCS11Key
// and TPMKey know.

internal import COpenSSL

/// A P-256 key that never leaves its device. Any thread may call; the device is asked by one at a time.
protocol KeyDevice: AnyObject, Sendable {
    /// The uncompressed point, 65 bytes beginning with 4.
    var point: [UInt8] { get }

    /// r ‖ s, 64 bytes, over a SHA-256 digest. May take seconds; blocks its thread.
    ///
    /// - Throws: ``KeyError/store(place:problem:isPassing:)``.
    func sign(digest: [UInt8]) throws(KeyError) -> [UInt8]
}

/// Holds a device where C keeps it.
private final class DeviceBox {
    let device: any KeyDevice

    init(_ device: any KeyDevice) { self.device = device }
}

private let deviceIndex = kilomint_device_index { _, pointer, _, _, _, _ in
    guard let pointer else { return }
    Unmanaged<DeviceBox>.fromOpaque(pointer).release()
}

// Safe although C calls it from any thread: it reads what was set before the key was handed out.
nonisolated(unsafe) private let deviceMethod = kilomint_device_method { digest, count, _, _, key in
    guard count == 32, let digest, let key, let pointer = kilomint_device_of(key, deviceIndex) else { return nil }
    let box = Unmanaged<DeviceBox>.fromOpaque(pointer).takeUnretainedValue()
    do throws(KeyError) {
        let raw = try box.device.sign(digest: Array(UnsafeBufferPointer(start: digest, count: 32)))
        return parsedSignature(derSignature(raw: raw))
    } catch {
        // OpenSSL knows no reasons of ours; who signs evidence asks the device itself and learns it.
        return nil
    }
}

/// An ECDSA_SIG of its DER form.
private func parsedSignature(_ der: [UInt8]) -> OpaquePointer? {
    der.withUnsafeBufferPointer { buffer in
        var cursor = buffer.baseAddress
        return d2i_ECDSA_SIG(nil, &cursor, buffer.count)
    }
}

/// An EVP_PKEY whose private half is `device`; the caller owns it.
func evpKey(of device: any KeyDevice) throws(KeyError) -> OpaquePointer {
    guard deviceIndex >= 0, let deviceMethod else { throw .library(call: "EC_KEY_METHOD_new") }
    let box = Unmanaged.passRetained(DeviceBox(device))
    let point = device.point
    guard let key = kilomint_device_key(point, point.count, deviceMethod, deviceIndex, box.toOpaque()) else {
        box.release()
        ERR_clear_error()
        throw .invalidPoint
    }
    return key
}
