// What the site's file lets be changed from afar, and what a remote version cannot exceed: its section `remote`. Without it
// nothing is.

internal import Settings

extension AgentSettings {
    package struct Remote: Hashable, Sendable {
        /// What a remote version may speak of.
        package enum Part: String, Hashable, Sendable, CaseIterable {
            /// `interval` and `identity_interval`, for all or for a meter.
            case intervals
            /// A meter's unit, profile, shadow, quantities, purpose; further meters on the site's buses.
            case meters
            /// Bytes a second, and when records are sent again.
            case uplink
        }

        package var isAllowed = false
        package var parts: Set<Part> = [.intervals]
        /// House milliseconds: no meter is read more often, unless the site's file itself says so.
        package var intervalMin: Int64 = 10_000
        /// Bytes a day as `plan` counts them; nil: not watched.
        package var bytesADayMax: Int64?
        /// Real milliseconds a version has to prove itself, in each run of the agent.
        package var trial: Int64 = 300_000

        package init() {}
    }
}

extension AgentSettings.Remote {
    init(_ value: SettingsValue?) throws(SettingsError) {
        guard let map = try value?.map() else { return }
        isAllowed = try map.value("allowed").bool()
        if let list = try map.optional("parts")?.list(count: 1...Part.allCases.count) {
            parts = []
            for item in list {
                let part = try item.choice(Part.allCases.map { (name: $0.rawValue, value: $0) })
                guard parts.insert(part).inserted else { throw item.error("stands twice") }
            }
        }
        intervalMin = try map.optional("interval_min")?.milliseconds(in: AgentSettings.intervals) ?? intervalMin
        bytesADayMax = try map.optional("bytes_a_day_max")?.byteCount(in: 65_536...1_099_511_627_776)
        trial = try map.optional("trial")?.milliseconds(in: 5_000...3_600_000) ?? trial
    }
}
