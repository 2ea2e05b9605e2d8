// A host's addresses as text, so that each can be tried with its own time limit. Blocks as long as the system's resolver.

internal import Glibc

/// Carries the reason out of a throwing function.
struct MQTTReasonError: Error {
    let reason: MQTTReason
}

/// Addresses tried in one attempt.
let addressesMax = 8

/// The numeric addresses of `host` in the system's order of preference (RFC 6724).
func resolve(_ host: String) throws(MQTTReasonError) -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    var error = getaddrinfo(host, nil, &hints, &list)
    if error != 0, error != EAI_AGAIN {
        // A machine with loopback alone has no "configured" address family, yet may talk to itself.
        hints.ai_flags = 0
        error = getaddrinfo(host, nil, &hints, &list)
    }
    guard error == 0 else {
        let text = error == EAI_SYSTEM ? systemText(errno) : String(cString: gai_strerror(error))
        throw MQTTReasonError(reason: .network("cannot find \(host): \(text)"))
    }
    defer { freeaddrinfo(list) }
    var addresses: [String] = []
    var next = list
    while let entry = next, addresses.count < addressesMax {
        next = entry.pointee.ai_next
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let named = getnameinfo(
            entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        guard named == 0 else { continue }
        let address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        if !addresses.contains(address) { addresses.append(address) }
    }
    return addresses
}
