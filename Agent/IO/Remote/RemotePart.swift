// A version of the remote part as its YAML says it: which keys it may have, and what they mean beside the site's file. Whether
// their values are any good is the file's own rules' to say, over both together.

internal import Quantities
internal import Settings

/// The remote part, read strictly.
struct RemotePart {
    typealias Part = AgentSettings.Remote.Part

    struct Meter {
        let id: String
        /// Of a meter that the site's file does not have: the endpoint of one of its buses.
        let bus: String?
        /// Without `id` and `bus`.
        let entries: [SettingsNode.Entry]
        let line: Int

        func has(_ key: String) -> Bool { entries.contains { $0.key == key } }
    }

    /// Meters of one version.
    static let metersMax = 2_000

    private static let general: [(key: String, part: Part)] = [
        ("interval", .intervals), ("identity_interval", .intervals), ("resend_after", .uplink),
        ("resend_after_max", .uplink),
    ]
    private static let ofMeters: [(key: String, part: Part)] = [
        ("interval", .intervals), ("identity_interval", .intervals), ("unit", .meters), ("profile", .meters),
        ("fallback", .meters), ("shadow", .meters), ("quantities", .meters), ("measures", .meters),
    ]

    /// The name in error texts.
    let name: String
    private(set) var entries: [SettingsNode.Entry] = []
    /// Below `window`.
    private(set) var window: [SettingsNode.Entry] = []
    private(set) var meters: [Meter] = []
    /// Each part it speaks of, with the first key of it.
    private(set) var uses: [(part: Part, key: String, line: Int)] = []

    /// - Parameter text: empty: nothing is changed.
    init(_ text: String, name: String) throws(SettingsError) {
        self.name = name
        guard !text.isEmpty else { return }
        let map = try SettingsFile.parse(Array(text.utf8), file: name)
        for (key, part) in Self.general {
            guard let value = map.optional(key) else { continue }
            entries.append(SettingsNode.Entry(key: key, value: value.node))
            use(part, key, value.line)
        }
        if let inner = try map.optional("window")?.map() {
            let value = try inner.value("bytes_per_second_max")
            window = [SettingsNode.Entry(key: "bytes_per_second_max", value: value.node)]
            use(.uplink, "window.bytes_per_second_max", value.line)
        }
        for item in try map.optional("meters")?.list(count: 0...Self.metersMax) ?? [] { try take(item) }
        try map.finish()
    }

    private mutating func take(_ item: SettingsValue) throws(SettingsError) {
        let map = try item.map()
        let id = try map.value("id").identifier()
        guard !meters.contains(where: { $0.id == id }) else { throw item.error("has meter \(id) twice") }
        let bus = try map.optional("bus")?.text(1...300)
        var found: [SettingsNode.Entry] = []
        if bus != nil { use(.meters, "meters: \(id).bus", item.line) }
        for (key, part) in Self.ofMeters {
            guard let value = map.optional(key) else { continue }
            found.append(SettingsNode.Entry(key: key, value: value.node))
            use(part, "meters: \(id).\(key)", value.line)
        }
        meters.append(Meter(id: id, bus: bus, entries: found, line: item.line))
    }

    private mutating func use(_ part: Part, _ key: String, _ line: Int) {
        if !uses.contains(where: { $0.part == part }) { uses.append((part, key, line)) }
    }

    /// Whether it says something about a row of `config show`.
    func has(_ key: String) -> Bool {
        entries.contains { $0.key == key } || window.contains { "window." + $0.key == key }
    }

    func meter(_ id: String) -> Meter? { meters.first { $0.id == id } }

    func error(_ key: String, _ problem: String, line: Int = 0, found: String? = nil, allowed: String? = nil)
        -> SettingsError
    {
        SettingsError(file: name, line: line, keyPath: key, found: found, problem: problem, allowed: allowed)
    }
}

// MARK: - Over the site's file

extension RemotePart {
    /// The site's tree with this over it.
    ///
    /// - Parameters:
    ///   - root: a tree that ``AgentSettings`` took.
    ///   - site: what it made of it; its buses stand in the tree's order.
    func over(_ root: SettingsNode, _ site: AgentSettings) throws(SettingsError) -> SettingsNode {
        guard case .map(var top) = root.content else { return root }
        for entry in entries { Self.set(entry, in: &top) }
        if !window.isEmpty {
            var inner: [SettingsNode.Entry] = []
            if case .map(let known) = top.first(where: { $0.key == "window" })?.value.content { inner = known }
            for entry in window { Self.set(entry, in: &inner) }
            Self.set(SettingsNode.Entry(key: "window", value: SettingsNode(.map(inner))), in: &top)
        }
        guard let position = top.firstIndex(where: { $0.key == "buses" }),
            case .list(var buses) = top[position].value.content
        else { return root }
        for meter in meters { try place(meter, &buses, site) }
        let list = SettingsNode(.list(buses), line: top[position].value.line)
        top[position] = SettingsNode.Entry(key: "buses", value: list)
        return SettingsNode(.map(top), line: root.line)
    }

    private func place(_ meter: Meter, _ buses: inout [SettingsNode], _ site: AgentSettings) throws(SettingsError) {
        let known = site.buses.firstIndex { bus in bus.meters.contains { $0.id.text == meter.id } }
        let number: Int
        switch (known, meter.bus) {
        case (let known?, nil): number = known
        case (_?, _?):
            throw error(
                "meters: \(meter.id).bus", "is where a meter of the site's file is; its line is the site's to say",
                line: meter.line)
        case (nil, nil):
            throw error(
                "meters: \(meter.id)", "is not in the site's file", line: meter.line,
                allowed: "a meter of it, or `bus:` with the endpoint of one of its buses")
        case (nil, let endpoint?):
            guard let found = site.buses.firstIndex(where: { $0.endpoint == endpoint }) else {
                throw error(
                    "meters: \(meter.id).bus", "is no bus of the site's file", line: meter.line, found: endpoint,
                    allowed: site.buses.map(\.endpoint).joined(separator: ", "))
            }
            number = found
        }
        guard buses.indices.contains(number), case .map(var bus) = buses[number].content,
            let position = bus.firstIndex(where: { $0.key == "meters" }),
            case .list(var list) = bus[position].value.content
        else { return }
        let id = SettingsNode(.scalar(meter.id, quoted: false), line: meter.line)
        let own = list.firstIndex { Self.id(of: $0) == meter.id }
        var entries = [SettingsNode.Entry(key: "id", value: id)]
        if let own, case .map(let known) = list[own].content { entries = known }
        for entry in meter.entries { Self.set(entry, in: &entries) }
        let node = SettingsNode(.map(entries), line: meter.line)
        if let own { list[own] = node } else { list.append(node) }
        bus[position] = SettingsNode.Entry(
            key: "meters", value: SettingsNode(.list(list), line: bus[position].value.line))
        buses[number] = SettingsNode(.map(bus), line: buses[number].line)
    }

    private static func id(of node: SettingsNode) -> String? {
        guard case .map(let entries) = node.content,
            case .scalar(let text, _) = entries.first(where: { $0.key == "id" })?.value.content
        else { return nil }
        return text
    }

    private static func set(_ entry: SettingsNode.Entry, in entries: inout [SettingsNode.Entry]) {
        if let index = entries.firstIndex(where: { $0.key == entry.key }) {
            entries[index] = entry
        } else {
            entries.append(entry)
        }
    }
}
