// YAML into a tree: what is read, what is refused and where, and that no bytes at all can crash the parser.

import Kit
import Settings
import Testing

struct SettingsFileTests {
    private func parse(_ text: String) throws(SettingsError) -> SettingsMap {
        try SettingsFile.parse(Array(text.utf8), file: "a.yaml")
    }

    @Test func keepsPlaceAndQuotes() throws {
        let tree = try SettingsFile.tree(Array("a: 1\nb:\n  - 'x'\n  - {c: y}\n".utf8), file: "a.yaml")
        guard case .map(let entries) = tree.content, case .list(let items) = entries[1].value.content else {
            Issue.record("not a map with a list")
            return
        }
        #expect(entries.map(\.key) == ["a", "b"])
        #expect(entries[0].value == SettingsNode(.scalar("1", quoted: false), line: 1, column: 4))
        #expect(items[0] == SettingsNode(.scalar("x", quoted: true), line: 3, column: 5))
        #expect(items[1].line == 4)
    }

    @Test(arguments: [
        ("", "a.yaml: is empty; allowed: a map of keys at the top"),
        ("- a\n", "a.yaml:1: holds a list; allowed: a map of keys at the top"),
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: `a` stands here a second time; it stands in line 1"),
        ("a: &x 1\n", "a.yaml:1: sets an anchor (&); allowed: write the value out where it is needed"),
        ("b: 1\na: *x\n", "a.yaml:2: uses an alias (*); allowed: write the value out"),
        ("a: !!str 1\n", "a.yaml:1: has a tag (!); allowed: plain values; quotes make text"),
        ("%YAML 1.1\n---\na: 1\n", "a.yaml:1: has a directive (%YAML, %TAG); allowed: remove it"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2: holds a second document (---); allowed: one document a file"),
        ("? {a: 1}\n: 2\n", "a.yaml:2: has a key that is no name; allowed: 1 … 64 printable ASCII characters"),
        ("ключ: 1\n", "a.yaml:1: has a key that is no name; allowed: 1 … 64 printable ASCII characters"),
        // The rest of these texts is libyaml's and differs between its versions.
        ("a: [1\n", "a.yaml:2: is not valid YAML: "), ("a: 1\n\tb: 2\n", "a.yaml:2: is not valid YAML: "),
    ])
    func refusesWithThePlace(text: String, message: String) {
        #expect { try parse(text) } throws: { "\($0)".hasPrefix(message) }
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect { try SettingsFile.parse([0x61, 0x3A, 0x20, 0xFF, 0x0A], file: "a.yaml") } throws: {
            "\($0)" == "a.yaml: is not valid YAML: invalid leading UTF-8 octet"
        }
    }

    @Test func boundsDepth() throws {
        func nested(_ depth: Int) -> String {
            "a: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        // The root map is the first level.
        _ = try parse(nested(SettingsFile.depthMax - 1))
        #expect(throws: SettingsError.self) { try parse(nested(SettingsFile.depthMax)) }
        #expect(throws: SettingsError.self) { try parse(nested(400_000)) }
    }

    @Test func boundsSizeAndNodes() throws {
        let comment = "a: 1\n#" + String(repeating: "x", count: SettingsFile.bytesMax - 6)
        _ = try parse(comment)
        #expect(throws: SettingsError.self) { try parse(comment + "x") }
        // Root and list are nodes too.
        let items = SettingsFile.nodesMax - 2
        _ = try parse("a: [" + String(repeating: "1,", count: items) + "]")
        #expect(throws: SettingsError.self) { try parse("a: [" + String(repeating: "1,", count: items + 1) + "]") }
    }

    @Test(arguments: [
        ("/nonexistent/a.yaml", "does not exist; check the path"), ("/tmp", "is not a regular file"),
        ("/dev/zero", "is not a regular file"), ("a\u{0}b", "is not a file name"),
    ])
    func refusesFilesThatAreNone(path: String, problem: String) {
        #expect { try SettingsFile.load(path: path) } throws: { "\($0)" == "\(path): \(problem)" }
    }

    /// Random bytes, and valid text with bytes changed, removed and inserted: a tree or an error, never a crash.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func survivesDamage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let valid = Array(
            "a: 1\nb:\n  - 'x'\n  - {c: \"y\\u00e9\", d: [1, 2]}\ne: |\n  text\n  more\nf: >-\n  x\n".utf8)
        var parsed = 0
        for _ in 0..<3000 {
            var bytes = valid
            if random.next() % 4 == 0 {
                bytes = (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            let marks = Array("[]{},:&*!|>'\"%@`\n\t -?#".utf8)
            for _ in 0..<Int(random.next() % 6) where !bytes.isEmpty {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes.insert(marks[Int(random.next() % UInt64(marks.count))], at: place)
                }
            }
            do throws(SettingsError) {
                let tree = try SettingsFile.tree(bytes, file: "fuzz")
                parsed += 1
                // What was understood can be written and is understood the same again.
                let again = try SettingsFile.tree(SettingsMutations.yaml(tree), file: "fuzz")
                #expect(shape(again) == shape(tree), "seed \(seed): \(bytes)")
            } catch { #expect(!error.description.isEmpty) }
        }
        #expect(parsed > 100 && parsed < 3000, "seed \(seed): the generator makes only one kind of input")
    }

    /// The tree without places and quotes.
    private func shape(_ node: SettingsNode) -> String {
        switch node.content {
        case .scalar(let text, _): "s\(text.utf8.count):\(text)"
        case .list(let items): "[" + items.map(shape).joined(separator: ",") + "]"
        case .map(let entries): "{" + entries.map { "\($0.key)=\(shape($0.value))" }.joined(separator: ",") + "}"
        }
    }
}
