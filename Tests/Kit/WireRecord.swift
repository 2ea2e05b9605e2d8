// What agents sent to slaves, over a whole run of the tests: each slave of the tests adds what it was asked, and the
// last step of Tests/run refuses any function but the four.

internal import Glibc

/// The file named by KILOMINT_WIRE; nothing without it.
package enum WireRecord {
    package static var path: String? { getenv("KILOMINT_WIRE").map { String(cString: $0) } }

    /// Adds one line, `unit,function,type`; the type is that of function 43, else 0.
    package static func add(unit: UInt8, pdu: some Collection<UInt8>) {
        guard let path, let function = pdu.first else { return }
        let type = function == 43 ? pdu.dropFirst().first ?? 0 : 0
        let line = Array("\(unit),\(function),\(type)\n".utf8)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, line, line.count)
        close(descriptor)
    }
}
