// The file of requests: one line each, so that a test can prove what was asked.

internal import Glibc
internal import PlantModel

struct Recorder {
    private let descriptor: Int32
    private let path: String

    init(path: String) throws(Failure) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(code: .writeFailed, message: "\(path): \(System.reason())") }
        self.path = path
    }

    /// Writes the line before anything is answered: an answered request is in the file, even after a kill.
    func add(_ request: Request, port: Int) throws(Failure) {
        guard System.write(Array("\(request.line),\(port)\n".utf8), to: descriptor) else {
            throw Failure(code: .writeFailed, message: "\(path): \(System.reason())")
        }
    }
}
