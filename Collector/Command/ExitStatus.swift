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
    }
}

private func ending(_ error: any Error, _ status: Int32) -> ExitCode {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    return ExitCode(status)
}
