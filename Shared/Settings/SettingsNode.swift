// The tree of a YAML file with the place of each node. What a key means is its reader's business, not this file's.

/// One YAML node: scalar, list or map, and where it begins.
package struct SettingsNode: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// `quoted` scalars are text and nothing else: `"9600"` is no number.
        case scalar(String, quoted: Bool)
        case list([SettingsNode])
        /// In file order, no key twice.
        case map([Entry])
    }

    package struct Entry: Hashable, Sendable {
        package let key: String
        package let value: SettingsNode

        package init(key: String, value: SettingsNode) {
            self.key = key
            self.value = value
        }
    }

    package let content: Content
    /// From 1.
    package let line: Int
    /// From 1, in characters.
    package let column: Int

    package init(_ content: Content, line: Int = 1, column: Int = 1) {
        self.content = content
        self.line = line
        self.column = column
    }

    /// "a map", "a list", "a value": for error texts.
    var kind: String {
        switch content {
        case .scalar: "a value"
        case .list: "a list"
        case .map: "a map"
        }
    }
}
