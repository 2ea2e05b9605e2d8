// Tokens and TPMs without hardware: SoftHSM2 and swtpm, other people's. Each test has its own.

internal import Glibc

/// A token of SoftHSM2 with the PIN 4711. SoftHSM takes the path of its configuration from the environment, and looks for
/// tokens when it is first used, which is one time for the process: hence one folder with a token for each test.
package struct SoftToken: Sendable {
    package static let module = "/usr/lib/softhsm/libsofthsm2.so"
    private static let labels = ["made", "theirs", "kept", "wrongpin", "present", "mqtt", "rekeyed"]
    private static let place: TemporaryDirectory? = {
        do {
            let place = try TemporaryDirectory()
            try Workplace.write(
                "directories.tokendir = \(place.path)\nlog.level = ERROR\n", to: place.file("softhsm2.conf"))
            setenv("SOFTHSM2_CONF", place.file("softhsm2.conf"), 1)
            for label in labels {
                let child = try ChildProcess(
                    "softhsm2-util",
                    ["--init-token", "--free", "--label", label, "--pin", "4711", "--so-pin", "08150815"],
                    outputPath: place.file("util.log"))
                while child.poll() == nil { usleep(5_000) }
                guard child.poll() == .exited(0) else { return nil }
            }
            return place
        } catch { return nil }
    }()
    package let label: String
    /// Mode 0600.
    package let pinFile: String

    package init(_ label: String) throws {
        guard let place = Self.place, Self.labels.contains(label) else { throw KitError("no token \(label)") }
        self.label = label
        pinFile = place.file(label + ".pin")
        try writePIN("4711")
    }

    package func writePIN(_ pin: String) throws {
        try Workplace.write(pin + "\n", to: pinFile)
        chmod(pinFile, 0o600)
    }

    package func expose(_ mode: UInt32) { chmod(pinFile, mode) }
}

/// A TPM 2 of swtpm behind a Unix socket, started and stopped at will; what it keeps stays in its folder.
package final class SoftTPM: Sendable {
    package let place: TemporaryDirectory
    package var socket: String { place.file("tpm") }
    /// For tpm2-tools.
    package var environment: [String: String] { ["TPM2TOOLS_TCTI": "cmd:socat - UNIX-CONNECT:\(socket)"] }

    package init() throws { place = try TemporaryDirectory() }

    /// The TPM is there until the result is killed or released.
    package func start() async throws -> ChildProcess {
        unlink(socket)
        let child = try ChildProcess(
            "swtpm",
            [
                "socket", "--tpm2", "--tpmstate", "dir=\(place.path)", "--server", "type=unixio,path=\(socket)",
                "--flags", "not-need-init,startup-clear",
            ], outputPath: place.file("swtpm.log"))
        try await eventually("swtpm listens") {
            guard child.poll() == nil else { throw KitError("swtpm: \(try child.output)") }
            return access(socket, R_OK) == 0 ? true : nil
        }
        return child
    }
}

/// Runs a program that must succeed.
@discardableResult
package func command(
    _ program: String, _ arguments: String..., environment: [String: String] = [:]
) async throws -> String {
    let result = try await run(program, arguments, environment: environment)
    guard result.status == .exited(0) else { throw KitError("\(program) \(arguments): \(result.output)") }
    return result.output
}

/// Two hexadecimal digits a byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// Whether openssl(1) finds `raw` (r ‖ s) good over `message` under a public key (SPKI).
package func opensslAccepts(_ raw: [UInt8], over message: String, spki: [UInt8]) async throws -> Bool {
    let place = try TemporaryDirectory()
    // The DER form by openssl too, so that no code of ours stands between.
    try Workplace.write(
        "asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x\(hexadecimal(raw.prefix(32)))\ns=INTEGER:0x\(hexadecimal(raw.dropFirst(32)))\n",
        to: place.file("signature.cnf"))
    try await command(
        "openssl", "asn1parse", "-genconf", place.file("signature.cnf"), "-noout", "-out", place.file("signature"))
    try Workplace.write(message, to: place.file("message"))
    try Workplace.write(spki, to: place.file("spki"))
    let result = try await run(
        "openssl",
        [
            "dgst", "-sha256", "-verify", place.file("spki"), "-keyform", "DER", "-signature", place.file("signature"),
            place.file("message"),
        ])
    return result.status == .exited(0)
}
