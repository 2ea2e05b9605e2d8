// Damaged copies of a valid configuration, for the tests of every reader: each of them must be refused.

/// Every configuration that differs from a valid one by one damage that no strict reader accepts.
///
/// For each key: renamed (nobody knows it), doubled, and its value replaced by one of another shape and by a text
/// that no accessor takes (a control character). A reader under test parses each and must throw.
package enum SettingsMutations {
    package struct Mutation: Sendable {
        /// What was done: "bus[0].baud renamed".
        package let name: String
        package let bytes: [UInt8]
    }

    /// - Parameter freeKeys: Paths of maps whose keys are names chosen by the user; renaming one of those is no damage.
    package static func all(
        of bytes: [UInt8], freeKeys: Set<String> = []
    ) throws(SettingsError) -> [Mutation] {
        let root = try SettingsFile.tree(bytes, file: "mutations")
        var walk = Walk(root: root, freeKeys: freeKeys)
        walk.visit(root, place: [], path: "")
        return walk.mutations
    }

    /// One document of flow style that parses to `node` again.
    package static func yaml(_ node: SettingsNode) -> [UInt8] {
        var text = ""
        write(node, to: &text)
        return Array((text + "\n").utf8)
    }

    private static func write(_ node: SettingsNode, to text: inout String) {
        switch node.content {
        case .scalar(let value, let quoted):
            let needsQuotes = quoted || !value.utf8.allSatisfy(isPlain) || value.isEmpty
            text += needsQuotes ? quotedText(value) : value
        case .list(let items):
            text += "["
            for item in items {
                write(item, to: &text)
                text += ", "
            }
            text += "]"
        case .map(let entries):
            text += "{"
            for entry in entries {
                text += quotedText(entry.key) + ": "
                write(entry.value, to: &text)
                text += ", "
            }
            text += "}"
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func quotedText(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\" + String(scalar)
            case _ where !(0x20..<0x7F).contains(scalar.value):
                // Escaped: YAML folds some of these as line breaks.
                let digits = String(scalar.value, radix: 16)
                text += "\\U" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    private enum Step {
        case item(Int)
        case entry(Int)
    }

    private struct Walk {
        let root: SettingsNode
        let freeKeys: Set<String>
        var mutations: [Mutation] = []

        mutating func visit(_ node: SettingsNode, place: [Step], path: String) {
            let otherShape: SettingsNode.Content
            if case .scalar = node.content {
                add("\(path) replaced by control characters", place) { _ in .scalar("?\u{1}", quoted: true) }
                otherShape = .map([SettingsNode.Entry(key: "?", value: SettingsNode(.scalar("?", quoted: true)))])
            } else {
                otherShape = .scalar("?\u{1}", quoted: true)
            }
            add("\(path) replaced by another shape", place) { _ in otherShape }
            switch node.content {
            case .scalar: return
            case .list(let items):
                for (index, item) in items.enumerated() {
                    visit(item, place: place + [.item(index)], path: "\(path)[\(index)]")
                }
            case .map(let entries):
                for (index, entry) in entries.enumerated() {
                    let name = path.isEmpty ? entry.key : "\(path).\(entry.key)"
                    if !freeKeys.contains(path) { rename(entries, index, place, name) }
                    add("\(name) doubled", place) { _ in .map(entries + [entry]) }
                    visit(entry.value, place: place + [.entry(index)], path: name)
                }
            }
        }

        private mutating func rename(_ entries: [SettingsNode.Entry], _ index: Int, _ place: [Step], _ name: String) {
            var renamed = entries
            renamed[index] = SettingsNode.Entry(key: entries[index].key + "-x", value: entries[index].value)
            add("\(name) renamed", place) { _ in .map(renamed) }
        }

        private mutating func add(
            _ name: String, _ place: [Step], _ change: (SettingsNode.Content) -> SettingsNode.Content
        ) {
            let mutated = Self.replacing(root, place[...], change)
            mutations.append(Mutation(name: name, bytes: SettingsMutations.yaml(mutated)))
        }

        private static func replacing(
            _ node: SettingsNode, _ place: ArraySlice<Step>, _ change: (SettingsNode.Content) -> SettingsNode.Content
        ) -> SettingsNode {
            guard let step = place.first else { return SettingsNode(change(node.content)) }
            switch (step, node.content) {
            case (.item(let index), .list(var items)):
                items[index] = replacing(items[index], place.dropFirst(), change)
                return SettingsNode(.list(items))
            case (.entry(let index), .map(var entries)):
                let value = replacing(entries[index].value, place.dropFirst(), change)
                entries[index] = SettingsNode.Entry(key: entries[index].key, value: value)
                return SettingsNode(.map(entries))
            default: preconditionFailure("a place does not exist in the tree it was taken from")
            }
        }
    }
}
