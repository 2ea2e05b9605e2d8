// The file of requests: one line each, so that a test can prove what was asked. Written once per turn of the loop.

internal import Glibc
internal import PlantModel

struct Recorder {
    private let descriptor: Int32
    private let path: String
    private var lines: [UInt8] = []

    init(path: String) throws(Failure) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(code: .writeFailed, message: "\(path): \(System.reason())") }
        self.path = path
    }

    mutating func add(_ request: Request, port: Int) {
        lines += "\(request.line),\(port)\n".utf8
    }

    /// A kill before this line loses at most the requests of one turn, whose answers may have been sent.
    mutating func flush() throws(Failure) {
        guard !lines.isEmpty else { return }
        guard System.write(lines, to: descriptor) else {
            throw Failure(code: .writeFailed, message: "\(path): \(System.reason())")
        }
        lines.removeAll(keepingCapacity: true)
    }
}
