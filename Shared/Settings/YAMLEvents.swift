// libyaml's events into a tree, refusing what SettingsFile's subset does not have. Owns libyaml's memory.

internal import CYAML

/// Builds the tree from libyaml's events. One use, one thread.
final class YAMLEvents {
    private let file: String
    private var nodes = 0
    /// libyaml keeps pointers into this struct and to the input, so both have a fixed address until `deinit`.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutablePointer<UInt8>

    init(_ bytes: [UInt8], file: String) throws(SettingsError) {
        self.file = file
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        input = .allocate(capacity: max(1, bytes.count))
        input.initialize(from: bytes, count: bytes.count)
        // On failure libyaml has freed what it took, and deleting the zeroed struct in `deinit` is harmless.
        guard yaml_parser_initialize(parser) == 1 else {
            throw SettingsError(file: file, problem: "could not be parsed: no memory")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    func document() throws(SettingsError) -> SettingsNode {
        _ = try next()  // Stream start.
        guard case .documentStart(let explicit) = try next() else {
            throw SettingsError(file: file, problem: "is empty", allowed: "a map of keys at the top")
        }
        if explicit { throw refused(line: 1, "has a directive (%YAML, %TAG)", "remove it") }
        let root = try node(try next(), depth: 0)
        _ = try next()  // Document end.
        guard case .streamEnd = try next() else {
            throw refused(line: line, "holds a second document (---)", "one document a file")
        }
        return root
    }

    private enum Event {
        case streamStart
        case streamEnd
        case documentStart(directive: Bool)
        case documentEnd
        case scalar(String, quoted: Bool, line: Int, column: Int)
        case listStart(line: Int, column: Int)
        case listEnd
        case mapStart(line: Int, column: Int)
        case mapEnd
        case other
    }

    private func node(_ event: Event, depth: Int) throws(SettingsError) -> SettingsNode {
        nodes += 1
        guard nodes <= SettingsFile.nodesMax else {
            throw refused(line: line, "has more than \(SettingsFile.nodesMax) values", "split the file")
        }
        guard depth < SettingsFile.depthMax else {
            throw refused(line: line, "is nested deeper than \(SettingsFile.depthMax)", "flatten it")
        }
        switch event {
        case .scalar(let text, let quoted, let line, let column):
            return SettingsNode(.scalar(text, quoted: quoted), line: line, column: column)
        case .listStart(let line, let column):
            var items: [SettingsNode] = []
            while true {
                let event = try next()
                if case .listEnd = event { return SettingsNode(.list(items), line: line, column: column) }
                items.append(try node(event, depth: depth + 1))
            }
        case .mapStart(let line, let column):
            return SettingsNode(.map(try entries(depth: depth)), line: line, column: column)
        default:
            throw refused(line: line, "is not YAML that was understood", "maps, lists and values")
        }
    }

    private func entries(depth: Int) throws(SettingsError) -> [SettingsNode.Entry] {
        var entries: [SettingsNode.Entry] = []
        var lines: [String: Int] = [:]
        while true {
            let event = try next()
            if case .mapEnd = event { return entries }
            guard case .scalar(let key, _, let line, _) = event,
                (1...SettingsFile.keyBytesMax).contains(key.utf8.count),
                key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                let limit = SettingsFile.keyBytesMax
                throw refused(line: self.line, "has a key that is no name", "1 … \(limit) printable ASCII characters")
            }
            if let first = lines[key] {
                throw SettingsError(
                    file: file, line: line, keyPath: key,
                    problem: "stands here a second time; it stands in line \(first)")
            }
            lines[key] = line
            entries.append(SettingsNode.Entry(key: key, value: try node(try next(), depth: depth + 1)))
        }
    }

    /// The line libyaml stands in, from 1.
    private var line: Int { Int(parser.pointee.mark.line) + 1 }

    private func refused(line: Int, _ problem: String, _ allowed: String) -> SettingsError {
        SettingsError(file: file, line: line, problem: problem, allowed: allowed)
    }

    private func next() throws(SettingsError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        let column = Int(event.start_mark.column) + 1
        switch event.type {
        case YAML_STREAM_START_EVENT: return .streamStart
        case YAML_STREAM_END_EVENT: return .streamEnd
        case YAML_DOCUMENT_START_EVENT:
            let start = event.data.document_start
            return .documentStart(
                directive: start.version_directive != nil || start.tag_directives.start != start.tag_directives.end)
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            try refuseExtras(anchor: scalar.anchor, tag: scalar.tag, line: line)
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            // libyaml has checked the UTF-8 already.
            let text = String(decoding: bytes, as: UTF8.self)
            return .scalar(text, quoted: scalar.style != YAML_PLAIN_SCALAR_STYLE, line: line, column: column)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            try refuseExtras(anchor: start.anchor, tag: start.tag, line: line)
            return .listStart(line: line, column: column)
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            try refuseExtras(anchor: start.anchor, tag: start.tag, line: line)
            return .mapStart(line: line, column: column)
        case YAML_MAPPING_END_EVENT: return .mapEnd
        case YAML_ALIAS_EVENT: throw refused(line: line, "uses an alias (*)", "write the value out")
        default: return .other
        }
    }

    private func refuseExtras(
        anchor: UnsafeMutablePointer<UInt8>?, tag: UnsafeMutablePointer<UInt8>?, line: Int
    ) throws(SettingsError) {
        if anchor != nil { throw refused(line: line, "sets an anchor (&)", "write the value out where it is needed") }
        if tag != nil { throw refused(line: line, "has a tag (!)", "plain values; quotes make text") }
    }

    private func syntaxError() -> SettingsError {
        let what = parser.pointee.problem.map { String(cString: $0) } ?? "unknown problem"
        // Below the scanner (encoding errors) libyaml sets no mark.
        let hasMark = parser.pointee.error == YAML_SCANNER_ERROR || parser.pointee.error == YAML_PARSER_ERROR
        return SettingsError(
            file: file, line: hasMark ? Int(parser.pointee.problem_mark.line) + 1 : 0,
            problem: "is not valid YAML: \(what)")
    }
}
