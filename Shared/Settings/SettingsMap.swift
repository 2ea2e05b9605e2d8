// A map being read: it remembers which keys were asked for, and refuses the others at the end.

/// The keys of one map and which of them its reader has asked for.
///
/// A class because the readers of sub-maps and lists report to one place; used by one thread while starting up.
/// The reader asks for every key it knows, also the optional ones, then calls ``finish()`` on the root once.
package final class SettingsMap {
    /// `bus[0]`; empty for the root.
    package let path: String
    package let file: String
    /// Where the map begins.
    package let line: Int

    private let entries: [SettingsNode.Entry]
    private let positions: [String: Int]
    private var asked: [String] = []
    private var askedSet: Set<String> = []
    /// Sub-maps handed out, in the order they were, and where each stands in that order.
    private var children: [SettingsMap] = []
    private var childPositions: [String: Int] = [:]

    init(entries: [SettingsNode.Entry], line: Int, path: String, file: String) {
        self.entries = entries
        self.line = line
        self.path = path
        self.file = file
        positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.key, $0) })
    }

    /// The keys present, in file order.
    package var keys: [String] { entries.map(\.key) }

    /// The value of a key that must stand here.
    package func value(_ key: String) throws(SettingsError) -> SettingsValue {
        guard let value = optional(key) else {
            throw SettingsError(file: file, line: line, keyPath: path(of: key), problem: "is missing; add it")
        }
        return value
    }

    /// The value of a key that may be left out; nil then.
    package func optional(_ key: String) -> SettingsValue? {
        if askedSet.insert(key).inserted { asked.append(key) }
        guard let position = positions[key] else { return nil }
        return SettingsValue(node: entries[position].value, path: path(of: key), owner: self)
    }

    /// The value of a key that marks one of several shapes, without asking for it: still unknown until asked for.
    package func has(_ key: String) -> Bool { positions[key] != nil }

    /// All entries of a map with free keys, in file order.
    package func all() -> [(key: String, value: SettingsValue)] {
        var values: [(key: String, value: SettingsValue)] = []
        for entry in entries {
            if askedSet.insert(entry.key).inserted { asked.append(entry.key) }
            values.append((entry.key, SettingsValue(node: entry.value, path: path(of: entry.key), owner: self)))
        }
        return values
    }

    /// Refuses the first key, here or in a sub-map handed out, that nobody has asked for.
    package func finish() throws(SettingsError) {
        for entry in entries where !askedSet.contains(entry.key) {
            throw SettingsError(
                file: file, line: entry.value.line, keyPath: path(of: entry.key), problem: "is not known here",
                allowed: asked.isEmpty ? "no keys" : asked.joined(separator: ", "))
        }
        for child in children { try child.finish() }
    }

    /// An error about this map as a whole, for rules between keys.
    package func error(_ problem: String, allowed: String? = nil) -> SettingsError {
        SettingsError(file: file, line: line, keyPath: path, problem: problem, allowed: allowed)
    }

    /// The reader of a map below this one; the same object when asked again.
    func child(_ entries: [SettingsNode.Entry], line: Int, path: String) -> SettingsMap {
        if let position = childPositions[path] { return children[position] }
        let child = SettingsMap(entries: entries, line: line, path: path, file: file)
        childPositions[path] = children.count
        children.append(child)
        return child
    }

    private func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}
