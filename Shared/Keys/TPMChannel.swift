// TPM 2 commands and answers as bytes (TCG TPM 2.0 Library, Part 1, 18; Part 3), through a device file or a Unix socket.

internal import Glibc

/// TPM_CC (Part 2, 6.5).
enum TPMCommand: UInt32 {
    case evictControl = 0x120
    case createPrimary = 0x131
    case sign = 0x15D
    case flushContext = 0x165
    case readPublic = 0x173
}

/// TPM_ALG_ID (Part 2, 6.3).
enum TPMAlgorithm: UInt16 {
    case sha256 = 0x0B
    case null = 0x10
    case ecdsa = 0x18
    case ecc = 0x23
}

enum TPMConstant {
    static let withoutSessions: UInt16 = 0x8001
    static let withSessions: UInt16 = 0x8002
    static let hashCheck: UInt16 = 0x8024
    static let owner: UInt32 = 0x4000_0001
    static let nullHandle: UInt32 = 0x4000_0007
    static let passwordSession: UInt32 = 0x4000_0009
    static let p256: UInt16 = 3
}

/// Big-endian, as everything a TPM says.
struct TPMBytes {
    private(set) var bytes: [UInt8] = []

    mutating func u16(_ value: UInt16) { bytes += [UInt8(value >> 8), UInt8(value & 0xFF)] }
    mutating func u16(_ value: TPMAlgorithm) { u16(value.rawValue) }
    mutating func u32(_ value: UInt32) {
        u16(UInt16(value >> 16))
        u16(UInt16(value & 0xFFFF))
    }
    mutating func raw(_ value: [UInt8]) { bytes += value }
    /// TPM2B: at most a few hundred bytes here.
    mutating func sized(_ value: [UInt8]) {
        u16(UInt16(clamping: value.count))
        bytes += value
    }
}

/// Nil where bytes are missing.
struct TPMReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// The handle that stands before everything else.
    var handle: UInt32? {
        var copy = self
        return copy.u32()
    }

    var remainder: [UInt8] { Array(rest) }

    mutating func u16() -> UInt16? { take(2).map { $0.reduce(0) { $0 << 8 | UInt16($1) } } }
    mutating func u32() -> UInt32? { take(4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } } }
    mutating func sized() -> [UInt8]? { u16().flatMap { take(Int($0)) } }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }
}

/// One TPM. Opened for each command unless it is held.
final class TPMChannel {
    private let path: String
    private var held: Int32 = -1
    /// Largest answer (TPM2_PT_MAX_RESPONSE_SIZE of PC clients).
    private static let answerBytesMax = 4096
    /// Times a busy TPM is asked again, and microseconds between them.
    private static let retriesMax = 20
    private static let retryMicroseconds: UInt32 = 100_000
    static let noKey = "is empty: make a key there with `kilomint-agent key create`"

    init(_ path: String) { self.path = path }

    deinit { release() }

    func hold(_ place: TPMPlace) throws(KeyError) { held = try open(place) }

    func release() {
        if held >= 0 { close(held) }
        held = -1
    }

    /// Forgets a transient object; a TPM without resource manager has room for three.
    func flush(_ handle: UInt32) {
        guard held >= 0 else { return }
        var command = TPMBytes()
        command.u16(TPMConstant.withoutSessions)
        command.u32(14)
        command.u32(TPMCommand.flushContext.rawValue)
        command.u32(handle)
        // Refused when it is gone already, which is what was wanted.
        _ = exchange(command.bytes, held)
    }

    /// Runs a command.
    ///
    /// - Parameter password: authorises the first handle; nil for commands that need no authority.
    /// - Returns: the answer's parameters; with `answersHandle` the handle before them.
    func run(
        _ command: TPMCommand, handles: [UInt32], password: [UInt8]? = nil, _ parameters: [UInt8],
        _ place: TPMPlace, answersHandle: Bool = false
    ) throws(KeyError) -> [UInt8] {
        var body = TPMBytes()
        for handle in handles { body.u32(handle) }
        if let password {
            // One session: the password itself (Part 1, 19.4). It goes no further than this machine.
            body.u32(UInt32(9 + password.count))
            body.u32(TPMConstant.passwordSession)
            body.u16(0)
            body.raw([0])
            body.sized(password)
        }
        body.raw(parameters)
        var message = TPMBytes()
        message.u16(password == nil ? TPMConstant.withoutSessions : TPMConstant.withSessions)
        message.u32(UInt32(10 + body.bytes.count))
        message.u32(command.rawValue)
        message.raw(body.bytes)
        var answer = TPMReader(try ask(message.bytes, place))
        guard answer.u16() != nil, answer.u32() != nil, let code = answer.u32() else {
            throw TPMKey.refusal(place, "gave an answer that is cut")
        }
        guard code == 0 else { throw Self.words(code, command, place) }
        var result = TPMBytes()
        if answersHandle, let handle = answer.u32() { result.u32(handle) }
        guard password != nil else {
            result.raw(answer.remainder)
            return result.bytes
        }
        guard let count = answer.u32(), let parameters = answer.take(Int(count)) else {
            throw TPMKey.refusal(place, "gave an answer that is cut")
        }
        result.raw(parameters)
        return result.bytes
    }

    /// The answer to a message; a busy TPM is asked again.
    private func ask(_ message: [UInt8], _ place: TPMPlace) throws(KeyError) -> [UInt8] {
        for attempt in 0... {
            let descriptor = held >= 0 ? held : try open(place)
            defer { if held < 0 { close(descriptor) } }
            guard let answer = exchange(message, descriptor), answer.count >= 10 else {
                throw .store(
                    place: place.description,
                    problem: "does not answer at \(path): \(String(cString: strerror(errno)))",
                    isPassing: true)
            }
            // TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY.
            let isBusy = [[0, 0, 9, 0x08], [0, 0, 9, 0x0A], [0, 0, 9, 0x22]].contains(Array(answer[6..<10]))
            guard isBusy, attempt < Self.retriesMax else { return answer }
            usleep(Self.retryMicroseconds)
        }
        return []
    }

    private func open(_ place: TPMPlace) throws(KeyError) -> Int32 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw away(place) }
        let isSocket = status.st_mode & S_IFMT == S_IFSOCK
        let descriptor = isSocket ? connected() : Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw away(place) }
        return descriptor
    }

    private func away(_ place: TPMPlace) -> KeyError {
        let hint = errno == EACCES ? ": is its user in the group tss?" : ": is there a TPM 2, and is it switched on?"
        return .store(
            place: place.description, problem: "cannot be asked at \(path): \(String(cString: strerror(errno)))\(hint)",
            isPassing: true)
    }

    private func connected() -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return -1 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            close(descriptor)
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            return -1
        }
        return descriptor
    }

    /// Writes a message and reads its whole answer; nil when the device does not do so within a minute.
    private func exchange(_ message: [UInt8], _ descriptor: Int32) -> [UInt8]? {
        guard write(descriptor, message, message.count) == message.count else { return nil }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: Self.answerBytesMax)
        while true {
            var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 60_000) == 1 else { return nil }
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            answer += chunk[..<count]
            guard answer.count <= Self.answerBytesMax else { return nil }
            guard answer.count >= 10 else { continue }
            // A device gives an answer at once; a socket may give it in pieces.
            let size = answer[2..<6].reduce(0) { $0 << 8 | Int($1) }
            if answer.count >= size { return answer }
        }
    }

    /// TPM_RC (Part 2, 6.6): format-one codes carry in bits 8 … 11 which handle, session or parameter is meant.
    private static func words(_ code: UInt32, _ command: TPMCommand, _ place: TPMPlace) -> KeyError {
        let number = "0x" + String(code, radix: 16)
        let isFormatOne = code & 0x80 != 0
        switch isFormatOne ? code & 0xBF : code {
        case 0x8B: return TPMKey.refusal(place, noKey)
        case 0x8E, 0xA2:
            let whose = command == .sign ? "the key's password (pin_file)" : "the owner's authority"
            return TPMKey.refusal(place, "refuses \(whose): it is wrong or missing (\(number))")
        case 0x921:
            return .store(
                place: place.description, problem: "is locked after wrong passwords; it opens again by itself later",
                isPassing: true)
        case 0x14C: return .exists(path: place.description)
        default:
            return .store(
                place: place.description, problem: "refuses \(command) with \(number)", isPassing: !isFormatOne)
        }
    }
}
