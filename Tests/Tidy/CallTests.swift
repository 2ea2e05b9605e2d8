// Calls the house does without, each with what to use instead. A comment right above one is its proof.

import Testing

struct Ban {
    let words: [String]
    let instead: String
    /// Folders in which the rule holds.
    var folders = Repository.shipped
    /// Folders or files that are exempt.
    var except: [String] = []
    /// Whether a comment on the line above lifts the ban.
    var yieldsToComment = true
}

private let commandFolders = ["Agent/Command", "Collector/Command", "Collector/Audit", "Tests/Plant/Command"]
private let coreRooms = [
    "Shared/Quantities", "Shared/CBOR", "Shared/Proofs", "Shared/Evidence", "Shared/Metering", "Agent/Core",
    "Collector/Core",
]

let bans: [Ban] =
    [
        Ban(words: ["Date", "(", ")"], instead: "the instant that is passed in", yieldsToComment: false),
        Ban(words: ["Task", "{"], instead: "a service's run(), or a task group that waits"),
        Ban(words: ["Task", ".", "detached"], instead: "a thread of its own, or a task group"),
        Ban(words: ["try", "?"], instead: "do/catch that says what happens to the error"),
        Ban(words: ["try", "!"], instead: "throws, or a precondition with its reason"),
        Ban(words: ["fatalError", "("], instead: "preconditionFailure with the rule that was broken"),
        Ban(words: ["print", "("], instead: "the log, or a returned value", except: commandFolders),
        Ban(words: ["@", "unchecked", "Sendable"], instead: "a value, an actor, or lets around one Mutex"),
        Ban(words: ["nonisolated", "(", "unsafe", ")"], instead: "a Mutex"),
        Ban(
            words: ["public"], instead: "package", folders: ["Agent", "Collector", "Shared", "Tests"],
            except: ["Package.swift"], yieldsToComment: false),
    ]
    + ["Double", "Float", "Float16", "Float32", "Float64", "CGFloat"].map {
        // A meter's float registers too are taken apart as integers: Shared/Metering/FloatCount.swift.
        Ban(words: [$0], instead: "an integer type of Quantities", folders: coreRooms)
    }

func callFindings(_ source: SwiftSource) -> [Finding] {
    bans.flatMap { ban -> [Finding] in
        let place = source.path
        guard ban.folders.contains(where: { place.hasPrefix($0 + "/") }),
            !ban.except.contains(where: { place == $0 || place.hasPrefix($0 + "/") })
        else { return [] }
        return source.lines(with: ban.words).compactMap { line in
            if ban.yieldsToComment, source.commentLines.contains(line - 1) { return nil }
            let call = ban.words.joined()
            return Finding(
                path: place, line: line, text: "\(call): use \(ban.instead), or prove it in a comment right above")
        }
    } + streamFindings(source)
}

/// `AsyncStream` keeps everything by default: whoever makes one says how much.
private func streamFindings(_ source: SwiftSource) -> [Finding] {
    guard Repository.shipped.contains(where: { source.path.hasPrefix($0 + "/") }) else { return [] }
    return source.tokens.indices.compactMap { index in
        guard ["AsyncStream", "AsyncThrowingStream", "makeStream"].contains(source.tokens[index].text) else {
            return nil
        }
        let rest = source.tokens[(index + 1)...].prefix(24)
        // Only where one is made: the name followed by its generic arguments and a parenthesis or a closure.
        var depth = 0
        let opener = rest.first { token in
            if token.text == "<" { depth += 1 }
            if token.text == ">" { depth -= 1 }
            return depth == 0 && token.text != ">"
        }
        guard let opener, opener.text == "(" || opener.text == "{" else { return nil }
        if rest.contains(where: { $0.text == "bufferingPolicy" || $0.text == "unfolding" }) { return nil }
        let line = source.tokens[index].line
        if source.commentLines.contains(line - 1) { return nil }
        return Finding(
            path: source.path, line: line, text: "a stream without bufferingPolicy keeps everything: say how much")
    }
}

struct CallTests {
    @Test func nobodyCallsWhatIsBanned() throws {
        let findings = try Repository.sources().flatMap(callFindings)
        #expect(findings.isEmpty, "\(list(findings))")
    }

    @Test(
        "each ban can fail",
        arguments: [
            "let now = Date()", "Task { await run() }", "Task.detached { await run() }", "let a = try? read()",
            "let a = try! read()", "fatalError(\"no\")", "print(1)", "final class A: @unchecked Sendable {}",
            "nonisolated(unsafe) var a = 0", "public struct A {}", "let a: Double = 1", "func a() -> Float? { nil }",
            "let s = AsyncStream<Int> { _ in }", "let s = AsyncStream(Int.self) { _ in }",
            "let (s, c) = AsyncThrowingStream<Int, any Error>.makeStream()",
            "let s = AsyncStream<[Int: [Int]]> { _ in }",
        ])
    func bannedCallIsFound(text: String) {
        #expect(callFindings(SwiftSource(path: "Collector/Core/Window/A.swift", text: text)).count == 1, "\(text)")
    }

    @Test func aCommentRightAboveLiftsABan() {
        let proven = "// Closing twice is harmless: the answer of the second call is not looked at.\ntry? close()"
        #expect(callFindings(SwiftSource(path: "Agent/IO/A.swift", text: proven)).isEmpty)
        let far = "// too far away\n\ntry? close()"
        #expect(callFindings(SwiftSource(path: "Agent/IO/A.swift", text: far)).count == 1)
        let trailing = "let a = 1  // not above\ntry? close()"
        #expect(callFindings(SwiftSource(path: "Agent/IO/A.swift", text: trailing)).count == 1)
    }

    @Test(arguments: [
        ("Agent/Command/main.swift", "print(1)"), ("Collector/IO/A.swift", "let share: Double = 0.5"),
        ("Collector/IO/A.swift", "let s = AsyncStream<Int>(bufferingPolicy: .bufferingNewest(1)) { _ in }"),
        ("Collector/IO/A.swift", "let s = AsyncStream<Int>(unfolding: next)"),
        ("Collector/IO/A.swift", "func a(_ s: AsyncStream<Int>) async {}"),
        ("Agent/IO/A.swift", "let task: Task<Void, Never>"),
        ("Tests/Keys/A.swift", "let a = try? read()"),
        ("Agent/IO/A.swift", "guard try !isThere() else { return }"),
        ("Agent/IO/A.swift", "let a = \"try? Date() public\""),
    ])
    func allowedCallIsNot(path: String, text: String) {
        #expect(callFindings(SwiftSource(path: path, text: text)).isEmpty)
    }
}
