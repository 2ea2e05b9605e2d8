// How often the quantities of a meter are read where that differs, as the configuration says it.

internal import AgentCore
internal import Metering
internal import Quantities
internal import Settings

extension PollClassPlan {
    /// `{interval: 5s, quantities: [1-0:16.7.0]}`.
    init(_ value: SettingsValue?) throws(SettingsError) {
        self.init()
        guard let map = try value?.map() else { return }
        interval = try map.value("interval").milliseconds(in: AgentSettings.intervals)
        for item in try map.optional("quantities")?.list(count: 1...64) ?? [] {
            guard let code = ObisCode(try item.text(1...32)) else {
                throw item.error("is no OBIS code", allowed: "A-B:C.D.E such as 1-0:16.7.0")
            }
            quantities.append(code)
        }
    }
}
