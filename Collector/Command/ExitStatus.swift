// How a command ends when its configuration is refused: the error on standard error, and a status of sysexits(3).

internal import ArgumentParser
internal import CollectorIO
internal import Foundation
internal import Keys
internal import Settings

/// Runs `body`. Refused configuration and keys end with 78, what a service lacks at start with its own status.
func withExitStatus(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as SettingsError {
        throw ending(error, SettingsError.exitCode)
    } catch let error as KeyError {
        throw ending(error, SettingsError.exitCode)
    } catch let error as AuthorityError {
        throw ending(error, SettingsError.exitCode)
    } catch let error as DraftRefused {
        throw ending(error, DraftRefused.exitCode)
    } catch let error as ServiceStartError {
        throw ending(error, error.exitCode)
    } catch let error as CocoaError {
        throw ending(FileTrouble(error), FileTrouble.exitCode)
    }
}

/// A file that the system does not let this process read or write, in one line.
struct FileTrouble: Error, CustomStringConvertible {
    /// EX_IOERR.
    static let exitCode: Int32 = 74
    let description: String

    init(_ error: CocoaError) {
        let path = error.filePath ?? error.url?.path ?? "a file"
        // What the system said is in the middle of Foundation's text.
        let posix = error.underlying as? POSIXError
        let reason = posix.map { String(cString: strerror($0.code.rawValue)) } ?? error.localizedDescription
        guard posix?.code == .EACCES || posix?.code == .EPERM else {
            description = "\(path): \(reason)"
            return
        }
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
        description =
            "\(path): \(reason), for the user \(user): give it to that user, run this as another one (the service's own is kilomint-collector), "
            + "or name another place"
    }
}

private func ending(_ error: any Error, _ status: Int32) -> ExitCode {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    return ExitCode(status)
}
