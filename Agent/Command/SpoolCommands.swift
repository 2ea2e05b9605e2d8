// kilomint-agent spool status, verify, export: what is stored, looked at without stopping the agent.

internal import AgentIO
internal import Glibc
internal import Quantities

extension Commands {
    static func spool(_ words: [String]) throws {
        let rest = Array(words.dropFirst())
        let what = words.first ?? ""
        guard ["status", "verify", "export"].contains(what) else {
            throw Arguments.Wrong(description: "spool needs one of: status, verify, export")
        }
        let names = ["folder", "key", "stream"]
        let arguments = try Arguments(rest, options: ["config"] + names + (what == "export" ? ["out"] : []))
        var values = Tool.values(arguments, names)
        values["do"] = what
        let hasFolder = arguments.optional("folder") != nil
        // A folder that is named is a copy: its agent, if there is one, is not asked.
        let settings = try Tool.settings(arguments, isNeeded: !hasFolder)
        let request = ControlRequest("spool", values)
        guard what == "export" else { return try Tool.show(request, settings, isHere: hasFolder) }
        let file = try SequenceFile(try arguments.required("out"))
        do {
            try Tool.run(request, settings, isHere: hasFolder) { file.take($0) }
            try file.finish()
        } catch {
            file.remove()
            throw error
        }
        print(
            "\(file.path): \(file.records) records, \(file.bytes) bytes as they were signed; \(file.gone) ranges are gone"
        )
    }
}

/// Envelopes one after the other (a CBOR sequence, RFC 8742), as they were signed.
private final class SequenceFile {
    let path: String
    private let descriptor: Int32
    private(set) var records = 0
    private(set) var bytes = 0
    private(set) var gone = 0
    private var problem: String?

    /// A file that is there is not written over.
    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Arguments.Failed(description: "cannot make \(path): \(String(cString: strerror(errno)))")
        }
    }

    func take(_ line: String) {
        guard problem == nil, !line.hasPrefix("…") else { return }
        do {
            let fields = try ControlRequest(longLine: line)
            guard let hex = fields.optional("bytes"), !hex.isEmpty else { return gone += 1 }
            guard let envelope = [UInt8](hex: hex) else { return problem = "the agent's answer cannot be read" }
            guard write(descriptor, envelope, envelope.count) == envelope.count else {
                return problem = "cannot write \(path): \(String(cString: strerror(errno)))"
            }
            records += 1
            bytes += envelope.count
        } catch { problem = "\(error)" }
    }

    func finish() throws {
        if problem == nil, fsync(descriptor) != 0 {
            problem = "cannot write \(path): \(String(cString: strerror(errno)))"
        }
        close(descriptor)
        if let problem { throw Arguments.Failed(description: problem) }
    }

    /// Half an export is none.
    func remove() { unlink(path) }
}
