// The outside world as an audit's tools: an archive, keys, a terminal. Nothing is decided here.

internal import CollectorClient
internal import CollectorCore
internal import Evidence

/// Tools of one command, with its keys and its progress line.
struct Toolbox {
    let progress = Progress()
    let tools: AuditTools

    init(_ archive: Archive) {
        let (keys, progress) = (KeyRing(), progress)
        tools = AuditTools(
            read: { path in try await archive.read(path) },
            isSigned: { message, spki in keys.isSigned(message, by: spki) },
            isRawSigned: { message, signature, spki in keys.isSigned(message, signature, by: spki) },
            progress: { stage, done, total in progress.show(stage, done, of: total) })
    }
}
