// Which broker, under whose name, and for how long our certificate proves it: for the person who looks at the status.

internal import MQTT
package import Quantities

package struct BrokerFigures: Hashable, Sendable {
    /// Connected to, or tried last; empty without one.
    package var place = ""
    /// Another client seems to use this gateway's id.
    package var isRivalled = false
    /// Times the broker said so.
    package var takenOver: UInt64 = 0
    /// Connections ended because the broker sent what MQTT does not know.
    package var unknownPackets: UInt64 = 0
    /// When our certificate ends; nil without one.
    package var certificateEnds: UTCInstant?

    package init() {}

    init(_ session: MQTTSession?, certificateEnds: UTCInstant?) {
        self.certificateEnds = certificateEnds
        guard let stats = session?.stats else { return }
        place = stats.broker?.description ?? ""
        (isRivalled, takenOver) = (stats.isRivalled, stats.takenOver)
        unknownPackets = stats.unknownPackets
    }

    var json: [String] {
        let ends = certificateEnds.map { StatusBoard.quoted($0.description) } ?? "null"
        return [
            "\"broker\":\(StatusBoard.quoted(place))", "\"rival\":\(isRivalled)",
            "\"sessions_taken_over\":\(takenOver)", "\"unknown_packets\":\(unknownPackets)",
            "\"certificate_ends\":\(ends)",
        ]
    }

    /// For people; nothing while there is nothing to say.
    var lines: [String] {
        var lines: [String] = []
        if !place.isEmpty {
            lines.append("broker     \(place)" + (certificateEnds.map { ", our certificate ends \($0)" } ?? ""))
        }
        if isRivalled {
            lines.append("           ANOTHER CLIENT USES THIS GATEWAY'S ID: find the second program or cloned disk")
        }
        if unknownPackets > 0 {
            lines.append("           \(unknownPackets) connections ended: the broker sent what MQTT does not know")
        }
        return lines
    }
}
