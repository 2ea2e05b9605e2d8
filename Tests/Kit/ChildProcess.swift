// Real processes under test: started, watched, killed at any moment. Output goes to a file, so that nobody has to drain a pipe.

internal import Glibc
internal import Synchronization

/// How a process ended.
package enum ExitStatus: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)
}

/// A child of the test process. It is killed when the last reference goes.
package final class ChildProcess: Sendable {
    package let pid: Int32
    /// Standard output and standard error.
    package let outputPath: String
    /// Nil until the process was reaped; after that the pid may be somebody else's and gets no signal.
    private let ended = Mutex<ExitStatus?>(nil)

    /// Starts `program` (a path, or a name found in PATH) with its output appended to `outputPath`.
    ///
    /// - Parameter environment: added to the test's own environment.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
        outputPath: String
    ) throws {
        self.outputPath = outputPath
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var variables: [String] = []
        var entry = environ
        while let text = entry.pointee {
            variables.append(String(cString: text))
            entry += 1
        }
        variables.removeAll { line in environment.keys.contains { line.hasPrefix($0 + "=") } }
        variables += environment.sorted { $0.key < $1.key }.map { $0.key + "=" + $0.value }
        // env -C changes the directory and then becomes the program: the pid is the program's.
        let line = (directory.map { ["env", "-C", $0] } ?? []) + [program] + arguments
        var child: pid_t = 0
        let result = Self.withCStrings(line) { argv in
            Self.withCStrings(variables) { envp in posix_spawnp(&child, line[0], &actions, nil, argv, envp) }
        }
        guard result == 0 else { throw KitError("\(program) does not start: \(String(cString: strerror(result)))") }
        pid = child
    }

    deinit {
        guard ended.withLock({ $0 == nil }) else { return }
        _ = Glibc.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }

    /// Everything written so far.
    package var output: String {
        get throws { try Workplace.text(of: outputPath) }
    }

    /// Sends `signal` unless the process has been reaped.
    package func kill(_ signal: Int32 = SIGKILL) {
        ended.withLock { status in
            if status == nil { _ = Glibc.kill(pid, signal) }
        }
    }

    /// How it ended; nil while it runs.
    package func poll() -> ExitStatus? {
        ended.withLock { status in
            if let status { return status }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            let signal = raw & 0x7F
            status = signal == 0 ? .exited(raw >> 8 & 0xFF) : .signalled(signal)
            return status
        }
    }

    /// Waits for the end.
    ///
    /// - Throws: ``KitError`` with the last output when it still runs after `timeout`; it is killed then.
    package func wait(timeout: Duration = .seconds(30)) async throws -> ExitStatus {
        do {
            return try await eventually("\(pid) ends", timeout: timeout) { self.poll() }
        } catch {
            kill()
            throw KitError("still running after \(timeout); its last output:\n\(try output.suffix(2000))")
        }
    }
}

/// Runs a program to its end.
///
/// - Returns: how it ended and all of its output.
package func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], timeout: Duration = .seconds(60)
) async throws -> (status: ExitStatus, output: String) {
    let place = try TemporaryDirectory()
    let child = try ChildProcess(program, arguments, environment: environment, outputPath: place.file("output"))
    let status = try await child.wait(timeout: timeout)
    return (status, try child.output)
}

/// Asks every 10 ms until there is an answer.
///
/// - Throws: ``KitError`` naming `what` when there is none in time.
@discardableResult
package func eventually<Value>(
    _ what: String, timeout: Duration = .seconds(10), _ ask: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + timeout
    while true {
        if let value = try await ask() { return value }
        guard ContinuousClock.now < deadline else { throw KitError("in \(timeout) it never came true that \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Asks every 10 ms until `condition` holds.
///
/// - Throws: ``KitError`` naming `what` when it does not hold in time.
package func eventually(
    _ what: String, timeout: Duration = .seconds(10), holds condition: () async throws -> Bool
) async throws {
    try await eventually(what, timeout: timeout) { try await condition() ? () : nil }
}
